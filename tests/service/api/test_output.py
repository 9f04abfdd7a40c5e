"""The form of an answer by `Accept`: which is chosen, and that each holds the same numbers."""

import asyncio
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import orjson
import pyarrow
import pytest
from numpy.typing import NDArray

from service.api import output
from service.api.output import OUTPUTS, Output, matrix_response, negotiate, require_json
from service.errors import NotAcceptable

Start = Callable[..., httpx.Client]

RAW, NPY, ARROW = OUTPUTS[1:]
MATRIX = np.random.default_rng(0).normal(size=(3, 16)).astype(np.float32)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        (" , ,", "application/json"),
        ("application/*", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        (RAW, RAW),
        (RAW.upper(), RAW),
        (f"{RAW}, */*", RAW),
        (f"*/*, {NPY}", NPY),
        (f"{NPY}, application/json", NPY),
        (f"application/json, {NPY}", "application/json"),
        (f"application/json;q=0.5, {NPY};q=0.6", NPY),
        (f"{RAW};q=0, */*", "application/json"),
        ("application/json;q=0, application/*", RAW),
        (f"application/json;q=0, {RAW};q=0, */*;q=0.1", NPY),
        (f"{RAW};q=high, {NPY};q=0.001", NPY),
        (f"{ARROW} ; q = 1", ARROW),
        (f"{RAW};q=7, {NPY}", RAW),
    ],
)
def test_the_best_of_what_is_accepted_is_answered(accept: str, chosen: Output) -> None:
    assert negotiate(accept) == chosen


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "json", "*/*;q=0", "image/*", f"{RAW};q=no"])
def test_what_there_is_not_is_told_with_what_there_is(accept: str) -> None:
    with pytest.raises(NotAcceptable) as refused:
        negotiate(accept)
    assert all(each in refused.value.message for each in OUTPUTS)


def test_a_header_without_end_is_not_read_to_its_end() -> None:
    assert negotiate("text/html," * 31 + RAW) == RAW
    with pytest.raises(NotAcceptable):
        negotiate("text/html," * 32 + RAW)


@pytest.fixture
def no_arrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    output._has_arrow.cache_clear()
    monkeypatch.setattr(output, "find_spec", {}.get)
    yield
    output._has_arrow.cache_clear()


@pytest.mark.usefixtures("no_arrow")
def test_without_pyarrow_its_form_is_refused_with_the_cure_and_others_are_not() -> None:
    with pytest.raises(NotAcceptable, match=r"pip install 'mcse\[files\]'"):
        negotiate(ARROW)
    assert negotiate(f"{ARROW}, {NPY};q=0.1") == NPY
    assert negotiate("*/*") == "application/json"


def read(response: Any) -> NDArray[Any]:
    """The matrix in an answer, by what its headers say."""
    kind = response.headers["content-type"]
    body = bytes(response.content if isinstance(response, httpx.Response) else response.body)
    if kind == RAW:
        shape = tuple(int(part) for part in response.headers["x-shape"].split(","))
        return np.frombuffer(body, np.dtype(response.headers["x-dtype"]).newbyteorder("<")).reshape(shape)
    if kind == NPY:
        return np.asarray(np.load(io.BytesIO(body), allow_pickle=False))
    if kind == ARROW:
        (column,) = pyarrow.ipc.open_stream(body).read_all().columns
        return np.array(column.to_pylist(), column.type.value_type.to_pandas_dtype())
    return np.array(orjson.loads(body), np.float32)


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8"])
@pytest.mark.parametrize("form", OUTPUTS)
def test_every_form_holds_the_numbers_bit_by_bit(form: Output, dtype: str) -> None:
    array = (100 * np.abs(MATRIX)).astype(dtype)
    found = read(asyncio.run(matrix_response(array, form)))
    assert found.shape == array.shape
    assert found.astype(dtype).tobytes() == array.tobytes()
    assert form == "application/json" or found.dtype == dtype


def test_a_matrix_that_is_not_contiguous_is_written_row_by_row() -> None:
    for form in OUTPUTS:
        np.testing.assert_array_equal(read(asyncio.run(matrix_response(MATRIX[:, ::2], form))), MATRIX[:, ::2])


def test_an_arrow_stream_is_one_column_of_lists_of_fixed_size() -> None:
    body = bytes(asyncio.run(matrix_response(MATRIX, ARROW)).body)
    schema = pyarrow.ipc.open_stream(body).schema
    assert schema == pyarrow.schema({"embedding": pyarrow.list_(pyarrow.float32(), 16)})


def test_arrow_is_imported_when_it_is_first_asked_for() -> None:
    code = (
        "import asyncio, sys, numpy\n"
        "from service.api.output import ARROW, matrix_response, negotiate\n"
        "assert negotiate(ARROW) == ARROW and 'pyarrow' not in sys.modules\n"
        "assert asyncio.run(matrix_response(numpy.ones((2, 3), 'f4'), ARROW)).body\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_only_json_can_hold_is_refused_in_other_forms() -> None:
    require_json("application/json", "`details`")
    with pytest.raises(NotAcceptable, match="`details`"):
        require_json(NPY, "`details`")
