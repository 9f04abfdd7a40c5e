import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.engine import engine as engine_module
from service.engine.budget import Budget
from service.engine.engine import MOST_STATE_ANSWERS, Embedded, Engine
from service.engine.space import Space
from service.errors import EmptyInput, EncodeFailed, InvalidInput, Overloaded
from service.model import ServedModel
from service.settings import Settings
from service.telemetry.metrics import Metrics

Scenario = Callable[[Engine], Any]


@asynccontextmanager
async def running(model: ServedModel, encoder: Any, **given: Any) -> AsyncIterator[Engine]:
    limits = {
        "max_pending": 64,
        "max_items": 64,
        "max_points_per_request": 64,
        "max_batch_tokens": 100,
        "max_chars": 200,
    }
    engine = Engine(model, encoder, Settings(**{**limits, **given}), Metrics())
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.close)


def test_embed_reports_vectors_tokens_and_what_was_cut(checkpoint: ServedModel, encoder: Any) -> None:
    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            done = await engine.embed(["a b", " ".join("abcdefghijklmnopq")])
        assert done.vectors.shape == (2, 16)
        assert done.vectors.dtype == np.float32
        assert done.tokens == [4, 16]
        assert done.dropped == [0, 3]
        assert done.characters == 3 + 33
        assert min(done.timings.tokenize, done.timings.queue, done.timings.encode) >= 0

    asyncio.run(scenario())


def test_the_same_text_gives_the_same_vector_whatever_its_batch_mates(checkpoint: ServedModel, encoder: Any) -> None:
    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            alone = (await engine.embed(["a b c"])).vectors[0]
            among = (await engine.embed([f"w{i} " * (i % 5 + 1) for i in range(40)] + ["a b c"])).vectors[-1]
        np.testing.assert_array_equal(alone, among)

    asyncio.run(scenario())


def test_both_spaces_share_one_batch(checkpoint: ServedModel, encoder: Any) -> None:
    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            encoder.seconds = 0.1
            busy = asyncio.create_task(engine.embed(["busy"]))
            await asyncio.sleep(0.05)
            grounded, sentence = await asyncio.gather(
                engine.embed(["a", "b c"], space="grounded"), engine.embed(["a"], space="sentence")
            )
            await busy
        assert grounded.vectors.shape == (2, 8)
        assert sentence.vectors.shape == (1, 16)
        np.testing.assert_allclose(np.linalg.norm(grounded.vectors, axis=1), 1, rtol=1e-6)
        assert len(encoder.batches) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("texts", "error", "told"),
    [
        ([], EmptyInput, "at least one"),
        (["ok", "x" * 201], InvalidInput, "position 1 has 201 characters; the limit is 200"),
        (["w " for _ in range(20)] + ["  "], InvalidInput, "position 20 cannot be embedded"),
        (["poison"], EncodeFailed, "position 0"),
        (["ok", "nan"], EncodeFailed, "position 1"),
        (["w"] * 65, Overloaded, "65"),
    ],
    ids=["none", "characters", "no content", "poison", "not finite", "too many"],
)
def test_bad_input_is_named_by_position(
    checkpoint: ServedModel, encoder: Any, texts: list[str], error: type[Exception], told: str
) -> None:
    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            with pytest.raises(error, match=told):
                await engine.embed(texts)
            assert engine.admission.pending == 0
            assert engine.healthy()

    asyncio.run(scenario())


def test_long_text_is_refused_where_it_may_not_be_cut(checkpoint: ServedModel, encoder: Any) -> None:
    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            with pytest.raises(InvalidInput, match="position 1 has 17 tokens; the model takes 16"):
                await engine.embed(["ok", "w " * 15], truncate=False)
            assert not encoder.batches

    asyncio.run(scenario())


def test_a_model_without_a_grounded_space_says_so(ungrounded_checkpoint: ServedModel, encoder: Any) -> None:
    async def scenario() -> None:
        async with running(ungrounded_checkpoint, encoder) as engine:
            with pytest.raises(InvalidInput, match="no grounded space"):
                await engine.embed(["a"], space="grounded")

    asyncio.run(scenario())


def test_a_wrong_shape_counts_as_a_failure(checkpoint: ServedModel, encoder: Any) -> None:
    encoder.encode = lambda batch: np.zeros((len(batch), 3), dtype=np.float32)

    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            with pytest.raises(EncodeFailed):
                await engine.embed(["a"])

    asyncio.run(scenario())


def test_equal_texts_are_encoded_once_in_each_space(checkpoint: ServedModel, encoder: Any) -> None:
    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            done = await engine.embed(["a b", "c", "a b"])
            await engine.embed(["a b"], space="grounded")
        np.testing.assert_array_equal(done.vectors[0], done.vectors[2])
        assert done.tokens == [4, 3, 4]
        assert [len(batch) for batch in encoder.batches] == [2, 1]

    asyncio.run(scenario())


def same(one: Embedded, other: Embedded) -> None:
    np.testing.assert_array_equal(one.vectors, other.vectors)
    assert (one.tokens, one.dropped, one.characters) == (other.tokens, other.dropped, other.characters)


def test_cut_at_the_left_the_end_of_a_text_is_embedded(checkpoint: ServedModel, encoder: Any) -> None:
    words = [f"w{i}" for i in range(20)]

    async def scenario() -> None:
        async with running(checkpoint, encoder, vector_cache_mb=1) as engine:
            for _ in range(2):  # the second time they come from the cache
                left = await engine.embed([" ".join(words)], direction="left")
                right = await engine.embed([" ".join(words)])
                same_vector(left, await engine.embed([" ".join(words[6:])]))
                same_vector(right, await engine.embed([" ".join(words[:14])]))
                assert (left.dropped, right.dropped) == ([6], [6])

    asyncio.run(scenario())


def same_vector(one: Embedded, other: Embedded) -> None:
    np.testing.assert_array_equal(one.vectors, other.vectors)


def test_token_ids_among_texts_keep_their_places(checkpoint: ServedModel, encoder: Any) -> None:
    def ids_of(text: str) -> list[int]:
        return [token.id for token in checkpoint.tokenizer.tokens([text], special=False)[0]]

    texts = [f"w{i} " * (i % 3 + 1) for i in range(40)]
    mixed: list[str | list[int]] = [text if i % 2 else ids_of(text) for i, text in enumerate(texts)]

    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            wanted, got = await engine.embed(texts), await engine.embed(mixed)
        same_vector(wanted, got)
        assert got.tokens == wanted.tokens
        assert got.characters == sum(len(text) for text in mixed if isinstance(text, str))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        ([5] * 201, "position 2 has 201 token ids; the limit is 200"),
        ([-1], "position 2 cannot be embedded"),
        ([], "position 2 cannot be embedded"),
        ([5] * 30, "position 2 has 32 tokens; the model takes 16"),
    ],
    ids=["too many", "none of the model's", "none", "to be cut"],
)
def test_bad_token_ids_are_named_by_position(checkpoint: ServedModel, encoder: Any, ids: list[int], told: str) -> None:
    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            with pytest.raises(InvalidInput, match=told):
                await engine.embed([[7], "a", ids, "b"], truncate=False)
        assert not encoder.batches

    asyncio.run(scenario())


def test_the_states_of_tokens_come_in_the_order_of_the_texts(checkpoint: ServedModel, encoder: Any) -> None:
    texts: list[str | list[int]] = ["a b", [5, 6, 7], "w " * 20, *(f"w{i}" for i in range(40))]

    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            embedded = engine.embed(["a b", "other"])
            states, beside = await asyncio.gather(engine.token_states(texts), embedded)
        assert beside.vectors.shape == (2, 16)
        assert [each.shape for each in states.states] == [(tokens, 16) for tokens in states.tokens]
        assert states.tokens[:3] == [4, 5, 16]
        assert states.dropped[:3] == [0, 0, 6]
        tokenized = checkpoint.tokenizer.encode(["a b"])[0].ids
        np.testing.assert_array_equal(states.states[0], encoder.states([tokenized])[0])

    asyncio.run(scenario())


def test_more_states_than_one_answer_holds_are_refused_before_they_are_computed(
    checkpoint: ServedModel, encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "MOST_STATE_NUMBERS", 16 * 100)

    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            fits = await engine.token_states([[5] * 8] * 10)
            assert sum(fits.tokens) == 100
            encoder.batches.clear()
            with pytest.raises(InvalidInput, match="more than 1600 numbers, 16 of each"):
                await engine.token_states([*([[5] * 8] * 10), [5]])
            assert not encoder.batches
            assert engine.admission.pending == 0

    asyncio.run(scenario())


def test_few_answers_of_states_are_made_at_one_time(checkpoint: ServedModel, encoder: Any) -> None:
    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            with ExitStack() as held:
                for _ in range(MOST_STATE_ANSWERS):
                    held.enter_context(engine.state_answer())
                with pytest.raises(Overloaded), engine.state_answer():
                    pass
            with engine.state_answer():
                pass

    asyncio.run(scenario())


@pytest.mark.parametrize("states", [lambda ids: np.zeros((len(ids), 3)), lambda ids: np.full((len(ids), 16), np.nan)])
def test_wrong_states_count_as_a_failure(checkpoint: ServedModel, encoder: Any, states: Callable[..., Any]) -> None:
    encoder.states = lambda batch: [states(ids) for ids in batch]

    async def scenario() -> None:
        async with running(checkpoint, encoder) as engine:
            with pytest.raises(EncodeFailed, match="position 0"):
                await engine.token_states(["a"])
            assert (await engine.embed(["a"])).vectors.shape == (1, 16)

    asyncio.run(scenario())


@pytest.mark.parametrize("space", ["sentence", "grounded"])
def test_answers_are_the_same_with_the_cache_and_without(checkpoint: ServedModel, encoder: Any, space: Space) -> None:
    requests = [["a b", "c"], ["c", "d " * 20, "a b"], ["d " * 20], ["a b", "c", "d " * 20, "e"]]

    async def answers(megabytes: int) -> list[Embedded]:
        async with running(checkpoint, encoder, vector_cache_mb=megabytes) as engine:
            return [await engine.embed(texts, space=space) for texts in requests]

    for one, other in zip(asyncio.run(answers(0)), asyncio.run(answers(1)), strict=True):
        same(one, other)
    encoded = [ids for batch in encoder.batches for ids in batch]
    assert len(encoded) == 10 + 4, "with the cache each text was encoded once"


def test_the_cache_keeps_the_spaces_apart(checkpoint: ServedModel, encoder: Any) -> None:
    async def scenario() -> None:
        async with running(checkpoint, encoder, vector_cache_mb=1) as engine:
            assert (await engine.embed(["a"])).vectors.shape == (1, 16)
            assert (await engine.embed(["a"], space="grounded")).vectors.shape == (1, 8)

    asyncio.run(scenario())


def test_a_known_text_needs_no_permit_and_no_thread(checkpoint: ServedModel, encoder: Any) -> None:
    async def scenario() -> None:
        async with running(checkpoint, encoder, vector_cache_mb=1) as engine:
            await engine.embed(["a"])
            with engine.admission.admit(64):
                done = await engine.embed(["a"])
        assert len(encoder.batches) == 1
        assert done.timings.encode == 0

    asyncio.run(scenario())


def test_errors_name_the_same_position_with_the_cache(checkpoint: ServedModel, encoder: Any) -> None:
    long = "w " * 20

    async def scenario() -> None:
        async with running(checkpoint, encoder, vector_cache_mb=1) as engine:
            await engine.embed(["a", long])
            with pytest.raises(InvalidInput, match="position 1 has 22 tokens"):
                await engine.embed(["a", long, long + "x"], truncate=False)
            with pytest.raises(InvalidInput, match="position 1 cannot be embedded"):
                await engine.embed(["a", " "])
            with pytest.raises(EncodeFailed, match="position 2"):
                await engine.embed(["a", "b", "poison"])

    asyncio.run(scenario())


def test_the_budget_is_measured_once_and_then_remembered(tmp_path: Path, checkpoint: ServedModel, encoder: Any) -> None:
    async def tuned() -> Budget:
        async with running(checkpoint, encoder, max_batch_tokens=0) as engine:
            await engine.tune(tmp_path)
            return engine.budget

    measured = asyncio.run(tuned())
    count = len(encoder.batches)
    remembered = asyncio.run(tuned())
    assert (measured.source, remembered.source) == ("measured", "remembered")
    assert measured.tokens == remembered.tokens
    assert len(encoder.batches) == count
