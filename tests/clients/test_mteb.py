"""mteb's wrapper of servers that speak as OpenAI's, on a task of a few sentences that are written here."""

from typing import Any

import numpy as np
import pytest

from tests.clients.installed import assert_same, client
from tests.clients.servers import MODEL, BusyServer, Server
from tests.clients.texts import EMPTY, FOREIGN, LONG, MANY, NO_CONTENT, ONE

mteb = client("mteb")
models = client("mteb.models")
abstasks = client("mteb.abstasks")
metadata = client("mteb.abstasks.task_metadata")
datasets = client("datasets")
stats = client("scipy.stats")

PAIRS: list[tuple[str, str, float]] = [
    (ONE, "A puppy plays by the sea.", 4.0),
    (ONE, "The committee raised interest rates.", 0.0),
    ("Two people wash a car.", "A couple is cleaning an automobile.", 5.0),
    ("Two people wash a car.", "A car drives down a road.", 2.0),
    (LONG, "A dog runs on the beach.", 4.5),
    (FOREIGN[0], "Zwei Leute waschen ein Auto.", 1.0),
]


def wrapper(server: Server, **fields: Any) -> Any:
    given = {"endpoint_url": server.url, "model_name": MODEL, "modalities": ["text"]}
    return models.OpenAIAPIEncodeWrapper(**{**given, **fields})


def task() -> Any:
    """An STS task whose data are `PAIRS`."""

    class LocalPairs(abstasks.AbsTaskSTS):  # type: ignore[name-defined,misc]
        metadata = globals()["metadata"].TaskMetadata(
            name="LocalPairs",
            description="Pairs of sentences written beside the test",
            dataset={"path": "local/pairs", "revision": "1"},
            type="STS",
            category="t2t",
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="cosine_spearman",
        )

        def load_data(self, **_: object) -> None:
            columns = dict(zip(("sentence1", "sentence2", "score"), map(list, zip(*PAIRS, strict=True)), strict=True))
            self.dataset = datasets.DatasetDict(test=datasets.Dataset.from_dict(columns))
            self.data_loaded = True

    return LocalPairs()


def encode(model: Any, texts: list[str]) -> Any:
    return model._get_embeddings(texts)


def test_the_vectors_are_those_of_the_native_route(server: Server) -> None:
    assert_same(encode(wrapper(server), [ONE]), server.embed([ONE]))
    assert_same(encode(wrapper(server), [*MANY, *FOREIGN]), server.embed([*MANY, *FOREIGN]))


def test_it_finds_the_length_that_the_model_reads(server: Server) -> None:
    model = wrapper(server)
    assert model.max_length == 256
    assert_same(encode(model, [LONG]), server.embed([LONG]))


@pytest.mark.parametrize("messages", [True, False], ids=["as messages, its default", "as texts"])
def test_a_task_scores_what_the_native_route_says(server: Server, messages: bool) -> None:
    model = wrapper(server, use_chat_template=messages)
    found = mteb.evaluate(model, task(), cache=None, co2_tracker=False, show_progress_bar=False)
    first, second = (server.embed(texts) for texts in ([pair[0] for pair in PAIRS], [pair[1] for pair in PAIRS]))
    expected = stats.spearmanr((first * second).sum(axis=1), [pair[2] for pair in PAIRS]).statistic
    assert expected > 0.5
    assert found.task_results[0].get_score() == pytest.approx(expected, abs=1e-6)


def test_an_empty_text_is_an_error_that_can_be_read(server: Server) -> None:
    with pytest.raises(RuntimeError, match=NO_CONTENT):
        encode(wrapper(server), [ONE, EMPTY])


def test_a_full_server_is_an_error_that_can_be_read(busy_server: BusyServer) -> None:
    model = wrapper(busy_server, model_name="stub")
    with busy_server.full(), pytest.raises(RuntimeError, match=r"429.*busy"):
        encode(model, [ONE])


def test_it_says_which_model_there_is_when_told_of_another(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    assert np.array(encode(wrapper(server, model_name="another"), [ONE])).shape == (1, 384)
    assert MODEL in caplog.text
