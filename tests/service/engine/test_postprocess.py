import numpy as np
import pytest

from service.engine.postprocess import shape_vectors, unit
from service.errors import InvalidInput

VECTORS = np.array([[3, 4, 12], [0, 0, 5]], dtype=np.float32)


def test_cut_comes_before_normalising() -> None:
    expected = np.array([[0.6, 0.8], [0, 0]], dtype=np.float32)
    np.testing.assert_allclose(shape_vectors(VECTORS, dimensions=2, normalize=True), expected, rtol=1e-6)


def test_raw_vectors_are_left_as_they_are() -> None:
    np.testing.assert_array_equal(shape_vectors(VECTORS, dimensions=None, normalize=False), VECTORS)
    cut = shape_vectors(VECTORS, dimensions=1, normalize=False)
    assert cut.tolist() == [[3], [0]]
    assert cut.flags.c_contiguous


@pytest.mark.parametrize("dimensions", [0, -1, 4])
def test_dimensions_outside_the_width_are_refused(dimensions: int) -> None:
    with pytest.raises(InvalidInput, match="between 1 and 3"):
        shape_vectors(VECTORS, dimensions=dimensions, normalize=True)


def test_a_zero_vector_stays_zero_and_the_type_stays_float32() -> None:
    scaled = unit(np.zeros((1, 3), dtype=np.float32))
    assert scaled.tolist() == [[0, 0, 0]]
    assert scaled.dtype == np.float32
