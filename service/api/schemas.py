"""The JSON that goes in and out of the native routes. Strict: no coercion, no unknown fields, no NaN."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from service.engine.space import Space

LARGEST_ID = 2**63 - 1
MOST_ID_CHARS = 128
LARGEST_FLOAT32 = 3.4028234663852886e38  # beyond it a JSON number becomes infinite in the store
MOST_METADATA_DEPTH = 32  # a caller's nesting comes back inside ours; JSON writers stop at about 250

Metric = Literal["cosine", "dot"]


class Body(BaseModel):
    """Base of every request."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _name_the_known_fields(cls, data: Any) -> Any:
        """Refuse unknown fields with the list of known ones; their own name is the caller's text."""
        if isinstance(data, dict) and data.keys() - cls.model_fields.keys():
            known = ", ".join(cls.model_fields)
            raise PydanticCustomError("unknown_field", "unknown field; the known ones are {known}", {"known": known})
        return data


def _rule(message: str) -> PydanticCustomError:
    return PydanticCustomError("rule", "{message}", {"message": message})


def _one_or_many(value: Any) -> Any:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise _rule("must be a string or a list of strings")
    return value


def _string_or_integer(value: Any) -> Any:
    """A point's own rule, because a union reports one failure once per member."""
    if isinstance(value, str) and 1 <= len(value) <= MOST_ID_CHARS:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_ID:
        return value
    raise _rule(f"must be a string of 1 to {MOST_ID_CHARS} characters, or an integer from 0 to 2^63-1")


def _shallow(value: Any) -> Any:
    level, depth = [value], 0
    while level := [child for parent in level for child in _children(parent)]:
        depth += 1
        if depth > MOST_METADATA_DEPTH:
            raise _rule(f"must not be nested deeper than {MOST_METADATA_DEPTH} levels")
    return value


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


Texts = Annotated[list[str], BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])]
PointId = Annotated[str | int, BeforeValidator(_string_or_integer)]
Vector = list[Annotated[float, Field(ge=-LARGEST_FLOAT32, le=LARGEST_FLOAT32)]]
Metadata = Annotated[dict[str, Any], BeforeValidator(_shallow)]
Limit = Annotated[int, Field(ge=1)]


class EmbedRequest(Body):
    """Texts to turn into vectors."""

    inputs: Texts
    normalize: bool = Field(True, description="Scale each vector to unit length.")
    truncate: bool = Field(True, description="Cut texts that are too long; false refuses them.")
    dimensions: int | None = Field(None, description="Keep the first so many numbers, then normalise.")
    space: Space = Field("sentence", description="`grounded` is the space shared with images.")
    details: bool = Field(False, description="Answer with an object instead of the bare matrix.")


class EmbedDetails(BaseModel):
    """The answer to `/embed` with `details`."""

    model: str
    space: Space
    dimensions: int
    embeddings: list[list[float]]
    tokens: list[int]
    truncated: list[bool]


class SentencePair(Body):
    """One sentence against many."""

    source_sentence: str
    sentences: list[str]


class SimilarityRequest(Body):
    """Either `inputs`, or `queries` with `keys`."""

    inputs: SentencePair | None = None
    queries: Texts | None = None
    keys: list[str] | None = None
    space: Space = "sentence"
    truncate: bool = True

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        one_to_many = self.inputs is not None and self.queries is None and self.keys is None
        many_to_many = self.inputs is None and self.queries is not None and self.keys is not None
        if not one_to_many and not many_to_many:
            raise _rule("needs either `inputs`, or both `queries` and `keys`")
        return self


class NewPoint(Body):
    """A text, or a vector with an optional text as its payload."""

    id: PointId | None = Field(None, description="Replaces the point of this id; a new UUID when absent.")
    text: str | None = None
    vector: Vector | None = None
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something_to_find(self) -> Self:
        if self.text is None and self.vector is None:
            raise _rule("needs a `text` or a `vector`")
        return self


class UpsertRequest(Body):
    """Points to write."""

    points: list[NewPoint]


class IndexRequest(Body):
    """Points for the default collection: either `texts` or `points`."""

    texts: Texts | None = None
    points: list[NewPoint] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.texts is None) == (self.points is None):
            raise _rule("needs either `texts` or `points`")
        return self

    def as_points(self) -> list[NewPoint]:
        """The points to write, whichever form they came in."""
        if self.points is not None:
            return self.points
        return [NewPoint(text=text) for text in self.texts or []]


class UpsertAnswer(BaseModel):
    """What was written; sent after the write is on disk."""

    ids: list[str | int]
    count: int = Field(description="Points written by this request.")
    inserted: int
    replaced: int


class SearchRequest(Body):
    """Either `query` (one text or several) or one `vector`."""

    query: Texts | None = None
    vector: Vector | None = None
    limit: Limit = 10
    score_threshold: float | None = None
    with_metadata: bool = True
    truncate: bool = True

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.query is None) == (self.vector is None):
            raise _rule("needs either `query` or `vector`")
        return self


class FoundPoint(BaseModel):
    """One hit; a higher score is closer."""

    id: str | int
    score: float
    text: str | None
    metadata: dict[str, Any] | None


class SearchAnswer(BaseModel):
    """One list of hits per query."""

    results: list[list[FoundPoint]]
    model_fingerprint: str
    took_ms: float


class CreateCollectionRequest(Body):
    """What a collection is; fixed once it is made."""

    space: Space = "sentence"
    metric: Metric = "cosine"
    description: Annotated[str, Field(max_length=1000)] | None = None


class DeletePointsRequest(Body):
    """Ids to delete; unknown ones are ignored."""

    ids: list[PointId]


class ErrorAnswer(BaseModel):
    """The body of every answer that is not 2xx."""

    error: str
    error_type: str
