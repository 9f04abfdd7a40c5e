import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.engine.budget import Budget
from service.engine.engine import Embedded, Engine
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
