"""Ranges are found with the served model once, remembered, and found again where the memory is of no use."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.calibration import calibration_texts, ranges_of
from models.quantize import QUANTIZATIONS, Quantization, quantize
from service.engine.calibration import AT_ONCE, FILE, NUMBERS_AT_ONCE, Bounds, Calibration
from service.errors import EncodeFailed
from service.model import ServedModel

Vectors = NDArray[np.float32]


async def at_once(function: Callable[[], Bounds]) -> Bounds:
    """In the place of the compute thread."""
    await asyncio.sleep(0)
    return function()


def made(
    model: ServedModel, encoder: Any, folder: Path, run: Callable[..., Awaitable[Bounds]] = at_once
) -> Calibration:
    return Calibration(model, encoder, run, folder)


def unit(count: int, width: int = 16) -> Vectors:
    drawn = np.random.default_rng(3).normal(size=(count, width)).astype(np.float32)
    scaled: Vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return scaled


def test_ranges_are_those_of_the_texts_in_each_space_and_width(
    tmp_path: Path, checkpoint: ServedModel, encoder: Any
) -> None:
    calibration = made(checkpoint, encoder, tmp_path)
    vectors = encoder.encode([text.ids for text in checkpoint.tokenizer.encode(calibration_texts())])
    for dimensions in (16, 5, 1):
        assert asyncio.run(calibration.ranges("sentence", dimensions)) == ranges_of(vectors, dimensions)
    for dimensions in (8, 3):
        assert asyncio.run(calibration.ranges("grounded", dimensions)) == ranges_of(encoder.ground(vectors), dimensions)


def test_the_model_is_asked_once_for_all_who_come_together(
    tmp_path: Path, checkpoint: ServedModel, encoder: Any
) -> None:
    calibration = made(checkpoint, encoder, tmp_path)

    async def many() -> None:
        await asyncio.gather(*(calibration.ranges("sentence", 4 + number) for number in range(10)))

    asyncio.run(many())
    assert sum(map(len, encoder.batches)) == len(calibration_texts())
    assert max(map(len, encoder.batches)) == AT_ONCE


def test_another_service_of_the_checkpoint_reads_what_the_first_one_found(
    tmp_path: Path, checkpoint: ServedModel, encoder: Any
) -> None:
    first = asyncio.run(made(checkpoint, encoder, tmp_path).ranges("grounded", 8))
    encoder.batches.clear()
    second = asyncio.run(made(checkpoint, encoder, tmp_path).ranges("grounded", 8))
    assert not encoder.batches
    assert first == second


def cut_short(content: Any) -> Any:
    return None


def of_another_model(content: Any) -> Any:
    return {**content, "of": {**content["of"], "fingerprint": "0" * 64}}


def of_other_texts(content: Any) -> Any:
    return {**content, "of": {**content["of"], "texts": "0" * 64}}


def without_a_space(content: Any) -> Any:
    return {**content, "bounds": {"sentence": content["bounds"]["sentence"]}}


def of_another_width(content: Any) -> Any:
    return {**content, "bounds": {**content["bounds"], "grounded": [1.0, 0.5]}}


def no_numbers(content: Any) -> Any:
    return {**content, "bounds": {**content["bounds"], "grounded": ["x"] * 8}}


def not_finite(content: Any) -> Any:
    return {**content, "bounds": {**content["bounds"], "grounded": [float("nan")] * 8}}


def a_list(content: Any) -> Any:
    return [content]


DAMAGES = [
    *(cut_short, of_another_model, of_other_texts, without_a_space, of_another_width, no_numbers, not_finite, a_list)
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_cannot_be_used_is_made_anew(
    tmp_path: Path, checkpoint: ServedModel, encoder: Any, damage: Callable[[Any], Any]
) -> None:
    asyncio.run(made(checkpoint, encoder, tmp_path).ranges("sentence", 16))
    whole = (tmp_path / FILE).read_bytes()
    damaged = damage(json.loads(whole))
    (tmp_path / FILE).write_bytes(whole[:-9] if damaged is None else json.dumps(damaged).encode())
    encoder.batches.clear()
    asyncio.run(made(checkpoint, encoder, tmp_path).ranges("sentence", 16))
    assert encoder.batches
    assert (tmp_path / FILE).read_bytes() == whole


def test_a_disk_that_takes_nothing_costs_only_the_memory(tmp_path: Path, checkpoint: ServedModel, encoder: Any) -> None:
    calibration = made(checkpoint, encoder, tmp_path / "nowhere")
    assert 0.5 < asyncio.run(calibration.ranges("sentence", 16)).highest <= 1


def test_an_encoder_that_fails_is_asked_again_by_the_next(
    tmp_path: Path, checkpoint: ServedModel, encoder: Any
) -> None:
    failures = [RuntimeError("broken")]

    async def run(function: Callable[[], Bounds]) -> Bounds:
        if failures:
            raise failures.pop()
        return function()

    calibration = made(checkpoint, encoder, tmp_path, run)
    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(calibration.ranges("sentence", 16))
    assert 0.5 < asyncio.run(calibration.ranges("sentence", 16)).highest <= 1


def test_a_model_whose_numbers_are_none_has_no_ranges(tmp_path: Path, checkpoint: ServedModel, encoder: Any) -> None:
    def nothing(batch: Any) -> Vectors:
        return np.full((len(batch), 16), np.nan, np.float32)

    encoder.encode = nothing
    with pytest.raises(EncodeFailed, match="ask for float32"):
        asyncio.run(made(checkpoint, encoder, tmp_path).ranges("sentence", 16))
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("kind", QUANTIZATIONS)
def test_blocks_of_a_large_answer_are_those_of_a_small_one(
    tmp_path: Path, checkpoint: ServedModel, encoder: Any, kind: Quantization
) -> None:
    calibration = made(checkpoint, encoder, tmp_path)
    vectors = unit(NUMBERS_AT_ONCE // 16 * 2 + 1)
    ranges = asyncio.run(calibration.ranges("sentence", 16))
    found = asyncio.run(calibration.quantized(vectors, kind, "sentence"))
    np.testing.assert_array_equal(found, quantize(vectors, kind, ranges))


def test_bits_need_no_calibration(tmp_path: Path, checkpoint: ServedModel, encoder: Any) -> None:
    found = asyncio.run(made(checkpoint, encoder, tmp_path).quantized(unit(3), "ubinary", "sentence"))
    assert found.shape == (3, 2)
    assert not encoder.batches
