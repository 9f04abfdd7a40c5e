"""Answers as bytes: JSON by orjson, which writes NumPy arrays without a Python float in between."""

import asyncio
from binascii import b2a_base64
from typing import Any, Literal

import numpy as np
import orjson
from fastapi import Response
from numpy.typing import NDArray

from service.api.dialects.errors import error_content, error_status
from service.errors import ServiceError

Encoding = Literal["float", "base64"]

AT_ONCE = 65_536  # numbers written in one go, which takes two milliseconds; then the event loop has other things to do


async def numbers(array: NDArray[Any]) -> orjson.Fragment:
    """An array (n, ...) as JSON, to be put into an answer. A large one is written a block of rows at a time."""
    return orjson.Fragment(await _numbers(array))


async def _numbers(array: NDArray[Any]) -> bytes:
    if array.size <= AT_ONCE:
        return _json(array)
    rows = max(1, AT_ONCE * len(array) // array.size)
    blocks = [_json(array[:rows])]
    for start in range(rows, len(array), rows):
        await asyncio.sleep(0)
        blocks.append(_json(array[start : start + rows]))
    return b"[" + b",".join(block[1:-1] for block in blocks) + b"]"


async def matrix_json(array: NDArray[Any], encoding: Encoding) -> Response:
    """`matrix` as the whole answer."""
    return JsonAnswer(await _numbers(array) if encoding == "float" else _json(await rows(array, encoding)))


async def matrix(array: NDArray[Any], encoding: Encoding) -> orjson.Fragment | list[orjson.Fragment]:
    """An array (n, width) as JSON: a list of lists of numbers, or a list of strings as `rows` writes them."""
    return await numbers(array) if encoding == "float" else await rows(array, encoding)


async def rows(array: NDArray[Any], encoding: Encoding = "float") -> list[orjson.Fragment]:
    """Each row of an array (n, width) as JSON of its own: a list of numbers, or base64 of its little-endian bytes."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    write = _json if encoding == "float" else _base64
    at_once = max(1, AT_ONCE // max(1, array.shape[1]))
    written = [orjson.Fragment(write(row)) for row in little[:at_once]]
    for start in range(at_once, len(little), at_once):
        await asyncio.sleep(0)
        written.extend(orjson.Fragment(write(row)) for row in little[start : start + at_once])
    return written


def _base64(row: NDArray[Any]) -> bytes:
    return b'"' + b2a_base64(row.data, newline=False) + b'"'


def _json(content: Any) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def json_line(content: Any) -> bytes:
    """One line of a file or stream of JSON values."""
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)


class JsonAnswer(Response):
    """JSON that is written already; Starlette's own takes longer to put two headers together."""

    media_type = "application/json"

    def __init__(self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [
            *((name.encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()),
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]


def json_response(content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`content` may hold float32 arrays; each number is written in its shortest exact form."""
    return JsonAnswer(_json(content), status=status, headers=headers)


def error_response(error: ServiceError, path: str = "/", **more: Any) -> Response:
    """The error as the dialect of `path` tells it, with its headers; `more` goes into the body."""
    content = {**error_content(error, path), **more}
    return json_response(content, status=error_status(error, path), headers=error.headers())
