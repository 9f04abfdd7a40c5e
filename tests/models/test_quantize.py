"""Codes of vectors: as sentence-transformers makes them, but clipped and never dependent on the batch."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sentence_transformers.util.quantization import quantize_embeddings

from models.quantize import QUANTIZATIONS, Quantization, Ranges, quantize

WIDTH = 24
VECTORS = np.random.default_rng(0).normal(size=(200, WIDTH)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
RANGES = Ranges(float(VECTORS.min()), float(VECTORS.max()))
DTYPES = {"float32": "float32", "int8": "int8", "uint8": "uint8", "binary": "int8", "ubinary": "uint8"}


def restored(codes: NDArray[Any], ranges: Ranges) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = codes.astype(np.float32) + (128 if codes.dtype == np.int8 else 0)
    return numbers * np.float32(ranges.step) + np.float32(ranges.lowest)


@pytest.mark.parametrize("kind", QUANTIZATIONS)
def test_a_vector_has_one_code_whatever_is_beside_it(kind: Quantization) -> None:
    together = quantize(VECTORS, kind, RANGES)
    assert together.dtype == DTYPES[kind]
    for position in (0, 7, 199):
        alone = quantize(VECTORS[position : position + 1], kind, RANGES)
        assert alone.tobytes() == together[position].tobytes()


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_a_code_tells_the_number_to_half_a_step(kind: Quantization) -> None:
    codes = quantize(VECTORS, kind, RANGES)
    assert (np.abs(restored(codes, RANGES) - VECTORS) <= 0.501 * RANGES.step).all()
    assert (codes.min(), codes.max()) == ((-128, 127) if kind == "int8" else (0, 255))


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_codes_are_those_of_sentence_transformers_to_one_step(kind: Quantization) -> None:
    ranges = np.array([[RANGES.lowest] * WIDTH, [RANGES.highest] * WIDTH], np.float32)
    theirs = np.asarray(quantize_embeddings(VECTORS, precision=kind, ranges=ranges))
    ours = quantize(VECTORS, kind, RANGES)
    assert ours.dtype == theirs.dtype
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


@pytest.mark.parametrize("kind", ["binary", "ubinary"])
@pytest.mark.parametrize("width", [24, 16, 13, 1])
def test_bits_are_those_of_sentence_transformers(kind: Quantization, width: int) -> None:
    theirs = np.asarray(quantize_embeddings(VECTORS[:, :width], precision=kind))
    ours = quantize(VECTORS[:, :width], kind)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def test_what_is_beyond_the_range_has_the_code_of_the_end() -> None:
    far = np.array([[-1e30] * WIDTH, [1e30] * WIDTH], np.float32)
    assert quantize(far, "int8", RANGES).tolist() == [[-128] * WIDTH, [127] * WIDTH]
    assert quantize(far, "uint8", RANGES).tolist() == [[0] * WIDTH, [255] * WIDTH]


def test_zero_is_no_bit() -> None:
    assert quantize(np.array([[0.0, 1.0, -1.0, -0.0]], np.float32), "ubinary").tolist() == [[0b0100_0000]]
    assert quantize(np.zeros((1, 8), np.float32), "binary").tolist() == [[-128]]


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (3, WIDTH), elements=st.floats(-1, 1, width=32)))
def test_a_larger_number_never_has_a_smaller_code(vectors: NDArray[np.float32]) -> None:
    codes = quantize(vectors, "uint8", RANGES).astype(int)
    for one, two in ((0, 1), (1, 2), (2, 0)):
        smaller = vectors[one] <= vectors[two]
        assert (codes[one][smaller] <= codes[two][smaller]).all()


def test_no_vectors_are_no_codes_of_the_right_width() -> None:
    empty = np.zeros((0, WIDTH), np.float32)
    assert quantize(empty, "int8", RANGES).shape == (0, WIDTH)
    assert quantize(empty, "ubinary").shape == (0, WIDTH // 8)


def test_codes_without_ranges_are_refused() -> None:
    with pytest.raises(ValueError, match="need the ranges"):
        quantize(VECTORS, "int8")


@pytest.mark.parametrize(
    ("lowest", "highest"),
    [(0.0, 0.0), (1.0, 0.0), (0.0, np.nan), (-np.inf, 0.0), (0.0, np.inf)],
    ids=["empty", "the wrong way round", "no number", "without beginning", "without end"],
)
def test_a_range_that_is_none_is_refused(lowest: float, highest: float) -> None:
    with pytest.raises(ValueError, match="is none"):
        Ranges(lowest, highest)


def test_codes_of_a_range_around_zero_rank_as_the_vectors_do() -> None:
    ranges = Ranges(-0.75, 0.75)
    cosines = VECTORS @ VECTORS.T
    int8, uint8 = (quantize(VECTORS, kind, ranges).astype(np.float64) for kind in ("int8", "uint8"))
    products = int8 @ int8.T * ranges.step**2
    distances = ((uint8[:, None] - uint8[None]) ** 2).sum(axis=2) * ranges.step**2
    np.testing.assert_allclose(products, cosines, atol=0.04)
    np.testing.assert_allclose(1 - distances / 2, cosines, atol=0.04)
