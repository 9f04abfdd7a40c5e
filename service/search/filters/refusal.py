"""Checks of a caller's JSON. A refusal says the place, what was found by its type, and what was expected."""

from collections.abc import Collection, Sequence
from typing import NoReturn

from service.errors import InvalidInput


def refuse(where: str, value: object, expected: str) -> NoReturn:
    """Raise InvalidInput about a value of the wrong type."""
    raise InvalidInput(f"{where} is {_kind_of(value)}; expected {expected}.")


def an_object(value: object, where: str, known: Sequence[str], unsupported: Collection[str] = ()) -> dict[str, object]:
    """The fields of an object; null is as good as not there. Raises InvalidInput for one that is not known."""
    told = ", ".join(known)
    if not isinstance(value, dict):
        refuse(where, value, f"an object with {told}")
    fields = {name: inner for name, inner in value.items() if inner is not None}
    for name in unsupported:
        if name in fields:
            raise InvalidInput(f"{where} has `{name}`, which is not supported; the known fields are {told}.")
    if fields.keys() - set(known):
        raise InvalidInput(f"{where} has an unknown field; the known ones are {told}.")
    return fields


def only_field(fields: dict[str, object], where: str, choices: Sequence[str]) -> tuple[str, object]:
    """The field that is given of these; raises InvalidInput unless it is exactly one."""
    given = [name for name in choices if name in fields]
    if len(given) != 1:
        told = " and ".join(given) or "none of the fields it needs"
        raise InvalidInput(f"{where} has {told}; expected exactly one of {', '.join(choices)}.")
    return given[0], fields[given[0]]


def a_list(value: object, where: str, of: str, most: int) -> list[object]:
    """The items of a list; raises InvalidInput for too many."""
    if not isinstance(value, list | tuple):
        refuse(where, value, f"a list of {of}")
    if len(value) > most:
        raise InvalidInput(f"{where} has {len(value)} items; expected at most {most}.")
    return list(value)


def a_text(value: object, where: str) -> str:
    """A string that a file can hold."""
    if not isinstance(value, str):
        refuse(where, value, "a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{where} has half a surrogate pair; expected whole Unicode characters.") from None
    return value


def is_integer(value: object) -> bool:
    """Whether it is a whole number; a boolean is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _kind_of(value: object) -> str:
    kinds = ((bool, "a boolean"), (int, "an integer"), (float, "a number"), (str, "a string"), (dict, "an object"))
    if value is None:
        return "null"
    return next((kind for type_, kind in kinds if isinstance(value, type_)), "a list")
