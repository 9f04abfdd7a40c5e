"""What all bodies share: strict rules, no coercion, no NaN, and no unknown fields where the route is our own."""

from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError, model_validator
from pydantic_core import PydanticCustomError

LARGEST_ID = 2**63 - 1
MOST_ID_CHARS = 128
LARGEST_FLOAT32 = 3.4028234663852886e38  # beyond it a JSON number becomes infinite in the store
MOST_DEPTH = 32  # a caller's nesting comes back inside ours; JSON writers stop at about 250
ID_RULE = f"must be a string of 1 to {MOST_ID_CHARS} characters, or an integer from 0 to 2^63-1"
DEPTH_RULE = f"must not be nested deeper than {MOST_DEPTH} levels"


class _Known(BaseModel):
    """Refuses unknown fields with the list of known ones; their own name is the caller's text."""

    @model_validator(mode="before")
    @classmethod
    def _name_the_known_fields(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = _known_to(cls)
        if not data.keys() <= known.keys():
            told = ", ".join(known)
            raise PydanticCustomError("unknown_field", "unknown field; the known ones are {known}", {"known": told})
        return data


@cache
def _known_to(body: type[BaseModel]) -> dict[str, None]:
    """The names of its fields, in their order."""
    return dict.fromkeys(field.alias or name for name, field in body.model_fields.items())


class JsonBody(BaseModel):
    """Base of every request in JSON."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class Body(_Known, JsonBody):
    """Base of the requests that are our own."""

    model_config = ConfigDict(extra="forbid")


class CompatBody(JsonBody):
    """Base of the requests that clients of other services send: those may hold fields of which we know nothing."""

    model_config = ConfigDict(extra="ignore")


class Parameters(_Known):
    """Base of what is asked behind the question mark of a URL, where everything is a string."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def example(**fields: Any) -> ConfigDict:
    """For `model_config`: a body that works, shown in the description of the API."""
    return ConfigDict(json_schema_extra={"example": fields})


def rule(message: str) -> PydanticCustomError:
    """What to raise in a validator; `message` must not hold the caller's text."""
    return PydanticCustomError("rule", "{message}", {"message": message})


def require_one_of(body: BaseModel, *names: str) -> None:
    """Raises unless exactly one of these fields was given."""
    if sum(getattr(body, name) is not None for name in names) != 1:
        told = [f"`{name}`" for name in names]
        raise rule(f"needs either {', '.join(told[:-1])} or {told[-1]}")


def _one_or_many(value: Any) -> Any:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise rule("must be a string or a list of strings")
    return value


def _texts_or_ids(value: Any) -> Any:
    """In one go over the types, because a union tries each of its members on each item."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise rule("must be a string or a list of strings, or lists of token ids")
    kinds = set(map(type, value))
    if kinds <= {str}:
        return value
    if kinds == {int}:
        return [value]
    for position, item in enumerate(value):
        if type(item) is not str and not _is_token_ids(item):
            raise _wrong_item(position, item)
    return value


def _wrong_item(position: int, item: Any) -> ValidationError:
    """With the place, which an error of a rule has not."""
    kind = rule("must hold integers, as the token ids of a text") if isinstance(item, list) else "string_type"
    return ValidationError.from_exception_data("Texts", [{"type": kind, "loc": (position,), "input": item}])


def _is_token_ids(value: Any) -> bool:
    return isinstance(value, list) and set(map(type, value)) <= {int}


def is_point_id(value: Any) -> bool:
    """Whether it can be the id of a point."""
    if isinstance(value, str):
        return 1 <= len(value) <= MOST_ID_CHARS
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_ID


def is_shallow(value: Any) -> bool:
    """Whether it is nested so little that it can be answered with."""
    level, depth = [value], 0
    while level := [child for parent in level for child in _children(parent)]:
        depth += 1
        if depth > MOST_DEPTH:
            return False
    return True


def _string_or_integer(value: Any) -> Any:
    """A point's own rule, because a union reports one failure once per member."""
    if not is_point_id(value):
        raise rule(ID_RULE)
    return value


def _shallow(value: Any) -> Any:
    if not is_shallow(value):
        raise rule(DEPTH_RULE)
    return value


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


Texts = Annotated[list[str], BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])]
TextsOrIds = Annotated[
    list[str | list[int]],
    PlainValidator(_texts_or_ids, json_schema_input_type=str | list[str] | list[int] | list[list[int]]),
]
PointId = Annotated[str | int, BeforeValidator(_string_or_integer)]
Vector = list[Annotated[float, Field(ge=-LARGEST_FLOAT32, le=LARGEST_FLOAT32)]]
Metadata = Annotated[dict[str, Any], BeforeValidator(_shallow)]
FilterJson = Annotated[dict[str, Any], BeforeValidator(_shallow)]
Limit = Annotated[int, Field(ge=1)]


class ErrorAnswer(BaseModel):
    """The body of every answer that is not 2xx."""

    error: str
    error_type: str
