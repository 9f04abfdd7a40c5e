"""What stands before the rows of a matrix in a .npy and in a .safetensors file: as long for any number of rows."""

import json
from typing import Any

import numpy as np

NPY_BYTES = 128
SAFETENSORS_BYTES = 512

_MAGIC = b"\x93NUMPY\x01\x00"
_LENGTH = 8  # bytes that tell how long the JSON is
_NAMES = {"float32": "F32", "int8": "I8", "uint8": "U8"}


def npy_header(rows: int, width: int, dtype: "np.dtype[Any]") -> bytes:
    """As numpy.load reads it: a Python literal, filled up with spaces to a line end."""
    length = NPY_BYTES - len(_MAGIC) - 2
    told = repr({"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, width)})
    return _MAGIC + length.to_bytes(2, "little") + told.encode().ljust(length - 1) + b"\n"


def safetensors_header(rows: int, width: int, dtype: "np.dtype[Any]", about: dict[str, str]) -> bytes:
    """One tensor named `vectors`, and what is told of it."""
    end = rows * width * dtype.itemsize
    vectors = {"dtype": _NAMES[dtype.name], "shape": [rows, width], "data_offsets": [0, end]}
    length = SAFETENSORS_BYTES - _LENGTH
    told = json.dumps({"__metadata__": about, "vectors": vectors}, separators=(",", ":"))
    return length.to_bytes(_LENGTH, "little") + told.encode().ljust(length)
