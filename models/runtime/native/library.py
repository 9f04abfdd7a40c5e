"""The compiled kernels as Python sees them: the C structures of `kernel/`, and the calls."""

import ctypes
from ctypes import POINTER, c_float, c_int, c_void_p
from functools import cache
from typing import Any

from models.runtime.base import Precision
from models.runtime.native.sources import library_path


class Shape(ctypes.Structure):
    """`Shape` in encoder.h."""

    _fields_ = [
        ("hidden", c_int),
        ("intermediate", c_int),
        ("heads", c_int),
        ("layers", c_int),
        ("activation", c_int),
        ("first_token", c_int),
        ("eps", c_float),
    ]


class Given(ctypes.Structure):
    """`Given` in kernel.cpp: a layer's weights, float32."""

    _fields_ = [
        ("qkv", c_void_p),
        ("qkv_bias", c_void_p),
        ("out", c_void_p),
        ("out_bias", c_void_p),
        ("up", c_void_p),
        ("up_bias", c_void_p),
        ("down", c_void_p),
        ("down_bias", c_void_p),
        ("attention_norm", c_void_p),
        ("attention_norm_bias", c_void_p),
        ("mlp_norm", c_void_p),
        ("mlp_norm_bias", c_void_p),
        ("mean_share", c_float),
    ]


class Batch(ctypes.Structure):
    """`Batch` in encoder.h."""

    _fields_ = [
        ("ids", c_void_p),
        ("starts", c_void_p),
        ("order", c_void_p),
        ("chunks", c_void_p),
        ("chunk_count", c_int),
        ("bias", c_void_p),
        ("reach", c_int),
        ("vectors", c_void_p),
        ("states", c_void_p),
    ]


@cache
def library(precision: Precision) -> Any:
    """The functions of one precision; OSError where its library cannot be loaded."""
    functions = ctypes.CDLL(str(library_path(precision)))
    functions.model_new.restype = c_void_p
    functions.model_new.argtypes = [POINTER(Shape), c_void_p, c_void_p, c_void_p, c_void_p, c_float]
    functions.model_set_layer.argtypes = [c_void_p, c_int, POINTER(Given)]
    functions.model_free.argtypes = [c_void_p]
    functions.model_free.restype = None
    functions.scratch_new.restype = c_void_p
    functions.scratch_free.argtypes = [c_void_p]
    functions.scratch_free.restype = None
    functions.model_encode.argtypes = [c_void_p, c_void_p, POINTER(Batch), POINTER(c_int)]
    return functions


def is_built(precision: Precision) -> bool:
    """Whether the library of a precision is there, for the sources as they are now."""
    return library_path(precision).exists()
