"""The rules of vectors, and unit length."""

import numpy as np
import pytest

from service.errors import InvalidInput
from service.search import vectors

GOOD = np.ones(3, np.float32)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (np.ones(2, np.float32), "float32 of shape (2,); expected float32 of shape (3,)"),
        (np.ones((1, 3), np.float32), "float32 of shape (1, 3); expected"),
        (np.ones(3, np.float64), "float64 of shape (3,); expected"),
        (np.array([1, np.nan, 1], np.float32), "NaN or infinite"),
        (np.array([1, -np.inf, 1], np.float32), "NaN or infinite"),
        (np.full(3, 1e18, np.float32), "longer than 1e+18"),
    ],
    ids=["narrow", "two axes", "float64", "nan", "infinite", "too long"],
)
@pytest.mark.parametrize("metric", vectors.METRICS)
def test_a_wrong_vector_is_refused_with_its_position(wrong: np.ndarray, reason: str, metric: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        vectors.scaled(vectors.stack([GOOD, wrong], 3, "points"), 3, metric, "points")
    assert refusal.value.message.startswith("points[1]: the vector ")
    assert reason in refusal.value.message


@pytest.mark.parametrize("shape", [(3,), (2, 4), (1, 2, 3)])
def test_an_array_of_the_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="queries: the vectors are float32 of shape"):
        vectors.require(np.ones(shape, np.float32), 3, "queries")


def test_stacking_copies() -> None:
    source = GOOD.copy()
    stacked = vectors.stack([source], 3, "points")
    source[:] = 7
    assert stacked.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize("scale", [1e-40, 1e-20, 1.0, 1e17])
def test_unit_vectors_have_length_one_at_every_scale(scale: float) -> None:
    made = vectors.unit(np.array([[3, 4, 0]], np.float32) * np.float32(scale), 3, "points")
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, [[0.6, 0.8, 0]], rtol=1e-4)


def test_zeros_have_no_direction() -> None:
    with pytest.raises(InvalidInput, match=r"points\[1\]: the vector is all zeros"):
        vectors.unit(np.array([[1, 0], [0, 0]], np.float32), 2, "points")


@pytest.mark.parametrize("width", [2, 16, 384])
def test_a_vector_of_length_one_is_kept_bit_for_bit(width: int) -> None:
    given = np.random.default_rng(width).standard_normal((5_000, width), dtype=np.float32)
    once = vectors.unit(given, width, "points")
    assert vectors.unit(once, width, "points").tobytes() == once.tobytes()
