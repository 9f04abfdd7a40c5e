import numpy as np
import pytest

from models.errors import OptionError
from models.quantize import QUANTIZATIONS, Quantization, Ranges, quantize
from models.vectors import VectorForm, code_type, code_width, shaped, unit

VECTORS = np.random.default_rng(0).normal(size=(4, 11)).astype(np.float32)


def test_a_vector_is_cut_before_it_is_scaled() -> None:
    found = shaped(VECTORS, VectorForm(dimensions=3))
    np.testing.assert_allclose(found, VECTORS[:, :3] / np.linalg.norm(VECTORS[:, :3], axis=1, keepdims=True), rtol=1e-6)
    found = shaped(VECTORS, VectorForm(dimensions=3, normalize=False))
    assert found.flags.c_contiguous
    assert np.array_equal(found, VECTORS[:, :3])


def test_a_row_of_zeros_stays_one() -> None:
    assert np.array_equal(unit(np.zeros((1, 3), np.float32)), np.zeros((1, 3)))


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
@pytest.mark.parametrize("width", [8, 11])
def test_type_and_width_are_those_of_the_codes(quantization: Quantization, width: int) -> None:
    codes = quantize(unit(VECTORS[:, :width]), quantization, Ranges(-1, 1))
    assert (codes.dtype, codes.shape[1]) == (code_type(quantization), code_width(width, quantization))


@pytest.mark.parametrize("quantization", ["int8", "uint8"])
def test_codes_of_vectors_of_any_length_are_refused(quantization: Quantization) -> None:
    with pytest.raises(OptionError, match="length 1"):
        VectorForm(quantization=quantization, normalize=False)
    assert VectorForm(quantization="binary", normalize=False).quantization == "binary"
