"""The names of metadata fields: `a.b`, `tags`, `a[].b`, `"a key with any sign".b`."""

import re
from functools import lru_cache
from typing import NamedTuple

MOST_PATH_CHARS = 256  # a field whose path is longer cannot be asked for
BRACKETS = "[]"

PLAIN = re.compile(r"[\w-]+")
STEP = re.compile(r'(?:"(?P<quoted>[^"]+)"|(?P<plain>[^."\[\]]+))(?P<brackets>(?:\[\])*)(?:\.(?!$)|$)')


class Step(NamedTuple):
    """One key on the way to a value, and how many arrays are looked into behind it."""

    name: str
    arrays: int


def canonical(path: str) -> str | None:
    """The one way to write `path`, or None if it is not one.

    A single pair of brackets at the end is left out: the field `tags` is every element of an array anyway.
    """
    found = _split(path)
    if found is None or len(path) > MOST_PATH_CHARS:
        return None
    *before, (name, arrays) = found
    return ".".join(_written(*step) for step in [*before, Step(name, 0 if arrays == 1 else arrays)])


@lru_cache(1024)
def steps(path: str) -> tuple[Step, ...]:
    """The steps of a canonical path."""
    return tuple(_split(path) or ())


def joined(path: str, name: str) -> str | None:
    """The path of the key `name` in the objects at `path`, "" being all metadata; None if no filter can ask for it."""
    full = f"{path}.{_written(name, 0)}" if path else _written(name, 0)
    return None if '"' in name or len(full) > MOST_PATH_CHARS else full


def _split(path: str) -> list[Step] | None:
    found, position = [], 0
    while match := STEP.match(path, position):
        found.append(Step(match["quoted"] or match["plain"], len(match["brackets"]) // len(BRACKETS)))
        position = match.end()
        if position == len(path):
            return found
    return None


def _written(name: str, arrays: int) -> str:
    return (name if PLAIN.fullmatch(name) else f'"{name}"') + BRACKETS * arrays
