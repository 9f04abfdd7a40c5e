"""The compiled kernel as Python sees it: the C structures of `kernel/`, and the calls."""

import ctypes
from ctypes import POINTER, c_int, c_int64, c_uint64, c_void_p
from functools import cache
from typing import Any

from service.search.graph.build import library_path


class Ask(ctypes.Structure):
    """`Ask` in search.h."""

    _fields_ = [
        ("count", c_int64),
        ("bits", c_void_p),
        ("wanted", c_int),
        ("breadth", c_int),
        ("hops", c_int),
    ]


class State(ctypes.Structure):
    """`State` in kernel.cpp."""

    _fields_ = [("count", c_int64), ("linked", c_int64), ("upper_used", c_int64), ("entry", c_uint64)]


@cache
def library() -> Any:
    """The functions; OSError where the library cannot be loaded."""
    functions = ctypes.CDLL(str(library_path()))
    pointer = c_void_p
    functions.index_new.restype = pointer
    functions.index_new.argtypes = [c_int, c_int, c_int, c_int]
    functions.index_free.restype = None
    functions.index_free.argtypes = [pointer]
    functions.index_append.argtypes = [pointer, pointer, c_int64]
    functions.index_append_from.argtypes = [pointer, pointer, pointer, c_int64]
    functions.index_link.argtypes = [pointer, POINTER(c_int64), c_int64]
    functions.index_set_linked.restype = None
    functions.index_set_linked.argtypes = [pointer, c_int64]
    functions.index_search.argtypes = [pointer, pointer, c_int64, POINTER(Ask), pointer, pointer]
    functions.index_scan.restype = c_int64
    functions.index_scan.argtypes = [pointer, pointer, POINTER(Ask), c_int64, pointer, pointer, c_int64]
    functions.index_block.restype = pointer
    functions.index_block.argtypes = [pointer, c_int, c_int64, POINTER(c_int64)]
    functions.index_state.restype = None
    functions.index_state.argtypes = [pointer, POINTER(State)]
    functions.index_restore.argtypes = [pointer, POINTER(State)]
    return functions


def is_built() -> bool:
    """Whether the kernel is there, for this processor and for the sources as they are now."""
    path = library_path()
    return path is not None and path.exists()
