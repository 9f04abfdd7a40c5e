"""The form of an answer of vectors: JSON, bytes, NumPy's or Arrow's, as the caller's `Accept` asks.

    Accept                                what is answered
    none, */*, application/json           JSON
    application/octet-stream              the numbers row by row, little-endian; `x-shape` and `x-dtype` say how to read
    application/x-npy                     a file as `numpy.load` reads it
    application/vnd.apache.arrow.stream   one record batch; its column `embedding` is a list of fixed size

Errors are JSON in any case.
"""

import io
import sys
from asyncio import to_thread
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, Literal, get_args

import numpy as np
from fastapi import Depends, Request, Response
from numpy.typing import NDArray
from starlette.types import Scope

from service.api.answers import Encoding, matrix_json
from service.api.schemas.base import ErrorAnswer
from service.errors import NotAcceptable

Output = Literal[
    "application/json",
    "application/octet-stream",
    "application/x-npy",
    "application/vnd.apache.arrow.stream",
]
JSON: Output = "application/json"
ARROW: Output = "application/vnd.apache.arrow.stream"
OUTPUTS: tuple[Output, ...] = get_args(Output)
_JSON_AT_ONCE = frozenset({b"*/*", b"application/json"})  # what nearly everybody sends
_MOST_RANGES = 32  # of a header that may be very long

# For the description of a route: the forms of its answer beside JSON, and the refusal of all others.
FORMS: Mapping[int | str, dict[str, Any]] = {
    200: {
        "content": {output: {"schema": {"type": "string", "format": "binary"}} for output in OUTPUTS if output != JSON}
    },
    406: {"model": ErrorAnswer, "description": "No form of the answer is one that is accepted"},
}


async def _output(request: Request) -> Output:
    return output_of(request.scope)


Wanted = Annotated[Output, Depends(_output)]


def output_of(scope: Scope) -> Output:
    """What the request accepts of what there is, by its q-values; raises NotAcceptable."""
    accepted = [value for name, value in scope["headers"] if name == b"accept"]
    if not accepted or (len(accepted) == 1 and accepted[0] in _JSON_AT_ONCE):
        return JSON
    return negotiate(b",".join(accepted).decode("latin-1"))


def negotiate(accept: str) -> Output:
    """The best of what an `Accept` header allows.

    Of equal q-values the one that was named more closely is taken, then the one that was named first; JSON where all
    are equal. Raises NotAcceptable.
    """
    ranges = list(_ranges(accept))
    if not ranges:
        return JSON
    ranked = [(rank, output) for output in OUTPUTS if (rank := _rank(output, ranges)) is not None]
    if not ranked:
        raise NotAcceptable(f"The answer can be {', '.join(OUTPUTS)}; accept one of these.")
    possible = [each for each in ranked if each[1] != ARROW or _has_arrow()]
    if not possible:
        raise NotAcceptable(
            "Arrow streams need the package pyarrow, which this service lacks: pip install 'mcse[files]', "
            "or accept another form."
        )
    return max(possible, key=lambda each: each[0])[1]


def require_json(output: Output, what: str) -> None:
    """Raises NotAcceptable for what only a JSON answer can hold."""
    if output != JSON:
        raise NotAcceptable(f"{what} is answered in JSON only; leave it out, or accept application/json.")


async def matrix_response(array: NDArray[Any], output: Output, encoding: Encoding = "float") -> Response:
    """(n, width) float32, int8 or uint8 numbers in the form that is wanted; `encoding` is that of JSON."""
    if output == JSON:
        return await matrix_json(np.ascontiguousarray(array), encoding)
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    if output == ARROW and "pyarrow" not in sys.modules:
        await to_thread(import_module, "pyarrow")  # takes a good part of a second
    rows, width = array.shape
    headers = {"x-shape": f"{rows},{width}", "x-dtype": array.dtype.name}
    return Response(_WRITERS[output](array), headers=headers, media_type=output)


# --- the header ---

_Range = tuple[str, float, int]  # media type or range, q-value, place in the header


def _ranges(accept: str) -> Iterable[_Range]:
    """In the order of the header; one whose weight is no number has none, and is not accepted."""
    for place, part in enumerate(accept.split(",", _MOST_RANGES)[:_MOST_RANGES]):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name:
            yield "*/*" if name == "*" else name, _quality(parameters), place


def _quality(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return max(0.0, min(1.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0


def _rank(output: Output, ranges: Iterable[_Range]) -> tuple[float, int, int] | None:
    """(q-value, how closely it was named, how early); None where it is not acceptable."""
    closeness = {output: 2, f"{output.partition('/')[0]}/*": 1, "*/*": 0}
    named = [(closeness[name], -place, quality) for name, quality, place in ranges if name in closeness]
    if not named:
        return None
    close, early, quality = max(named)
    return (quality, close, early) if quality > 0 else None


@cache
def _has_arrow() -> bool:
    return find_spec("pyarrow") is not None


# --- the forms, of a contiguous array of little-endian numbers ---


def _raw(array: NDArray[Any]) -> bytes:
    return array.tobytes()


def _npy(array: NDArray[Any]) -> bytes:
    return _npy_head(array.dtype.str, array.shape) + array.tobytes()


@lru_cache(maxsize=256)
def _npy_head(descr: str, shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def _arrow(array: NDArray[Any]) -> bytes:
    import pyarrow

    rows = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(array.reshape(-1)), array.shape[1])
    batch = pyarrow.record_batch({"embedding": rows})
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    written: bytes = sink.getvalue().to_pybytes()
    return written


_WRITERS: Mapping[Output, Callable[[NDArray[Any]], bytes]] = {
    "application/octet-stream": _raw,
    "application/x-npy": _npy,
    ARROW: _arrow,
}
