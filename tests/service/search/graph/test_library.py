"""The compiled kernel as Python sees it."""

import ctypes
import re
from pathlib import Path

import numpy as np
import pytest

from service.search.graph import build, library
from service.search.graph.library import Ask, State

with_kernel = pytest.mark.skipif(
    not library.is_built(), reason="the kernel is not built for this machine (make kernels)"
)

TYPES = {"int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64, "int": ctypes.c_int, "const uint8_t*": ctypes.c_void_p}


def fields_in(source: str, name: str) -> list[tuple[str, object]]:
    """Name and type of each field of a structure, from its C++."""
    text = (build.KERNEL / source).read_text()
    found = re.search(rf"struct {name} \{{(.*?)\}};", text, re.DOTALL)
    assert found
    fields: list[tuple[str, object]] = []
    for line in re.sub(r"//.*", "", found[1]).split(";"):
        if match := re.fullmatch(r"\s*(const uint8_t\*|\w+) (\w+(?:, \w+)*)\s*", line):
            fields += [(field, TYPES[match[1]]) for field in match[2].split(", ")]
    return fields


@pytest.mark.parametrize(("source", "structure"), [("search.h", Ask), ("kernel.cpp", State)])
def test_structures_have_the_fields_that_the_kernel_has(source: str, structure: type[ctypes.Structure]) -> None:
    assert [*structure._fields_] == fields_in(source, structure.__name__)


def test_every_function_that_the_kernel_offers_is_known_or_not_asked_for() -> None:
    """A call without its types would cut pointers in half."""
    offered = set(re.findall(r"\b(index_\w+)\(", (build.KERNEL / "kernel.cpp").read_text()))
    typed = set(re.findall(r"functions\.(index_\w+)\.argtypes", Path(library.__file__).read_text()))
    assert typed <= offered
    assert offered - typed == {"index_count", "index_linked"}


@with_kernel
def test_an_index_is_made_filled_searched_and_freed() -> None:
    kernel = library.library()
    index = ctypes.c_void_p(kernel.index_new(4, 16, 32, 1))
    vectors = np.eye(4, dtype=np.float32)
    assert kernel.index_append(index, vectors.ctypes.data, 4)
    state = State()
    kernel.index_state(index, ctypes.byref(state))
    assert (state.count, state.linked, state.entry) == (4, 0, 0)
    places, scores = np.empty(2, np.int64), np.empty(2, np.float32)
    ask = Ask(4, None, 2, 8, 1)
    found = kernel.index_search(
        index, vectors[2:].ctypes.data, 1, ctypes.byref(ask), places.ctypes.data, scores.ctypes.data
    )
    assert (found, places.tolist(), scores.tolist()) == (1, [2, 0], [1.0, 0.0])
    kernel.index_free(index)


@with_kernel
def test_vectors_of_another_index_are_copied_with_their_codes() -> None:
    kernel = library.library()
    one, other = (ctypes.c_void_p(kernel.index_new(4, 16, 32, 1)) for _ in range(2))
    vectors = np.eye(4, dtype=np.float32)
    kernel.index_append(one, vectors.ctypes.data, 4)
    chosen = np.array([3, 1], np.int64)
    assert kernel.index_append_from(other, one, chosen.ctypes.data, 2)
    places, scores = np.empty(2, np.int64), np.empty(2, np.float32)
    ask = Ask(2, None, 2, 8, 1)
    kernel.index_search(other, vectors[1:].ctypes.data, 1, ctypes.byref(ask), places.ctypes.data, scores.ctypes.data)
    assert (places.tolist(), scores.tolist()) == ([1, 0], [1.0, 0.0])
    for index in (one, other):
        kernel.index_free(index)


@with_kernel
def test_the_library_is_loaded_once() -> None:
    assert library.library() is library.library()
