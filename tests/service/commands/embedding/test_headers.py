import io
import json
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

from service.commands.embedding.headers import NPY_BYTES, SAFETENSORS_BYTES, npy_header, safetensors_header

ABOUT = {"fingerprint": "f" * 64, "space": "sentence"}
DTYPES: "list[np.dtype[Any]]" = [np.dtype(np.float32), np.dtype(np.int8), np.dtype(np.uint8)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("rows", [0, 1, 17])
def test_rows_behind_a_header_are_read_by_the_libraries(rows: int, dtype: "np.dtype[Any]") -> None:
    matrix = np.arange(rows * 5).reshape(rows, 5).astype(dtype)
    read = np.load(io.BytesIO(npy_header(rows, 5, dtype) + matrix.tobytes()))
    assert read.dtype == dtype
    assert np.array_equal(read, matrix)
    read = load(safetensors_header(rows, 5, dtype, ABOUT) + matrix.tobytes())["vectors"]
    assert read.dtype == dtype
    assert np.array_equal(read, matrix)


@pytest.mark.parametrize("rows", [0, 10**12])
def test_a_header_is_as_long_for_any_number_of_rows(rows: int) -> None:
    assert len(npy_header(rows, 65_536, DTYPES[0])) == NPY_BYTES
    header = safetensors_header(rows, 65_536, DTYPES[0], ABOUT)
    assert len(header) == SAFETENSORS_BYTES
    assert json.loads(header[8:])["__metadata__"] == ABOUT
