"""JSONL: a JSON value a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.data.files import lines
from training.errors import DataError

JSONL = (".jsonl", ".ndjson")


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Each line's value, with the number of the line.

    Raises:
        DataError: the file cannot be read, or a line is not JSON.
    """
    for number, line in lines(path):
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise DataError(f"{path}, line {number}: not JSON ({reason}). Each line must be one JSON value.") from error


def text(path: Path, number: int, name: str, value: Any) -> str:
    """A value that must be text.

    Raises:
        DataError: it is not a string, or holds half of a surrogate pair, which JSON can write but no text has.
    """
    if not isinstance(value, str):
        raise DataError(f"{path}, line {number}: {name} is {_kind(value)}. It must be a string.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{path}, line {number}: {name} holds half of a surrogate pair. Remove the line.") from error
    return value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
