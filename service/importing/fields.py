"""From the fields of a record to its id, text, vector and metadata."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from service.importing.options import CellType, ReadOptions

METADATA = "metadata"
"""A field of this name that holds an object is the metadata itself; the other fields are put beside it."""


class Parts(NamedTuple):
    """What a record is made of."""

    id: str | int | None
    text: str | None
    vector: list[float] | None
    metadata: dict[str, Any] | None


def parts_of(fields: Mapping[str, Any], options: ReadOptions) -> Parts:
    """Sort the fields of a record; raises ValueError with the reason."""
    left = dict(fields)
    point_id = _id(left.pop(options.id_field, None), options.id_field)
    text = _text(left.pop(options.text_field, None), options.text_field)
    vector = None
    if options.vector_field is not None:
        vector = _vector(left.pop(options.vector_field, None), options.vector_field)
    if text is None and vector is None:
        raise ValueError(_nothing_in(options))
    return Parts(point_id, text, vector, _metadata(left, options.metadata_fields))


def typed_cells(names: list[str], cells: list[str], options: ReadOptions) -> dict[str, Any]:
    """The fields of a CSV row. An empty cell is no field. Raises ValueError with the reason."""
    fields: dict[str, Any] = {}
    for name, cell in zip(names, cells, strict=True):
        if cell:
            fields[name] = _typed(name, cell, options)
    return fields


def json_of(text: bytes | str) -> Any:
    """Raises ValueError with the reason; NaN and Infinity are no JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"It is not valid JSON (at character {error.pos + 1}).") from None


def kind_of(value: Any) -> str:
    """What a value of JSON is called."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a boolean"
    names: dict[type, str] = {
        dict: "an object",
        list: "an array",
        str: "a string",
        int: "an integer",
        float: "a number",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def _nothing_in(options: ReadOptions) -> str:
    if options.vector_field is None:
        return f"There is no text in `{options.text_field}`."
    return f"There is neither a text in `{options.text_field}` nor a vector in `{options.vector_field}`."


def _id(value: Any, name: str) -> str | int | None:
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        return value
    raise ValueError(f"`{name}` is {kind_of(value)}; an id is a string or an integer.")


def _text(value: Any, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"`{name}` is {kind_of(value)}; a text is a string.")


def _vector(value: Any, name: str) -> list[float] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError(f"`{name}` is {kind_of(value)}; a vector is an array of numbers.")
    if not set(map(type, value)) <= {float, int}:
        wrong = next(position for position, number in enumerate(value) if type(number) not in (float, int))
        raise ValueError(f"`{name}` holds {kind_of(value[wrong])} at position {wrong}; a vector holds numbers.")
    if not all(map(math.isfinite, value)):
        raise ValueError(f"`{name}` holds a number that is not finite.")
    return value


def _metadata(left: dict[str, Any], wanted: frozenset[str] | None) -> dict[str, Any] | None:
    own = left.pop(METADATA) if isinstance(left.get(METADATA), dict) else {}
    both = own.keys() & left.keys()
    if both:
        raise ValueError(f"{len(both)} of its fields are also in its `{METADATA}`; a field may be in one of the two.")
    fields = {**own, **left}
    return {name: value for name, value in fields.items() if wanted is None or name in wanted} or None


def _typed(name: str, cell: str, options: ReadOptions) -> Any:
    if name in options.types:
        return _read(name, cell, options.types[name])
    if name == options.vector_field:
        return _numbers(name, cell)
    if name == METADATA and cell.startswith("{"):
        return _read(name, cell, "json")
    return cell


def _read(name: str, cell: str, kind: CellType) -> Any:
    try:
        return _READERS[kind](cell)
    except ValueError:
        raise ValueError(f"`{name}` holds {len(cell)} characters that are no {_CALLED[kind]}.") from None


def _numbers(name: str, cell: str) -> Any:
    """An array of JSON, or numbers between spaces, commas or semicolons."""
    if cell.startswith("["):
        return _read(name, cell, "json")
    try:
        return [_float(number) for number in cell.replace(",", " ").replace(";", " ").split()]
    except ValueError:
        raise ValueError(f"`{name}` is no vector: an array of JSON, or finite numbers between spaces.") from None


def _int(cell: str) -> int:
    number = int(cell)
    if "_" in cell or not -(2**63) <= number < 2**64:  # Python's own notation; more than JSON writers take
        raise ValueError
    return number


def _float(cell: str) -> float:
    number = float(cell)
    if "_" in cell or not math.isfinite(number):
        raise ValueError
    return number


def _bool(cell: str) -> bool:
    value = {"true": True, "1": True, "false": False, "0": False}.get(cell.strip().lower())
    if value is None:
        raise ValueError
    return value


_READERS: dict[CellType, Callable[[str], Any]] = {
    "string": str,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "json": json_of,
}
_CALLED: dict[CellType, str] = {
    "string": "string",
    "int": "integer",
    "float": "finite number",
    "bool": "boolean (true or false)",
    "json": "valid JSON",
}
