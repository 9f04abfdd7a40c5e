"""Bodies of the routes that write, read, select and delete points."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from service.api.schemas.base import (
    Body,
    FilterJson,
    Limit,
    Metadata,
    PointId,
    Texts,
    Vector,
    example,
    require_one_of,
    rule,
)
from service.search.points import OnConflict

ON_CONFLICT = "Where an id is there: `replace` the old point, `skip` the new one, or `error` (409, nothing is written)."


class NewPoint(Body):
    """A text, or a vector with an optional text as its payload."""

    id: PointId | None = Field(None, description="Names the point; a new UUID when absent.")
    text: str | None = None
    vector: Vector | None = None
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something_to_find(self) -> Self:
        if self.text is None and self.vector is None:
            raise rule("needs a `text` or a `vector`")
        return self


class UpsertRequest(Body):
    """Points to write."""

    model_config = example(
        points=[
            {"id": 1, "text": "A dog runs on the beach.", "metadata": {"kind": "animal", "year": 2021}},
            {"id": "b", "text": "Two people wash a car.", "metadata": {"kind": "people", "year": 2022}},
        ]
    )

    points: list[NewPoint]
    on_conflict: OnConflict = Field("replace", description=ON_CONFLICT)


class IndexRequest(Body):
    """Points for the default collection: either `texts` or `points`."""

    model_config = example(texts=["A dog runs on the beach.", "Two people wash a car."])

    texts: Texts | None = None
    points: list[NewPoint] | None = None
    on_conflict: OnConflict = Field("replace", description=ON_CONFLICT)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        require_one_of(self, "texts", "points")
        return self

    def as_points(self) -> list[NewPoint]:
        """The points to write, whichever form they came in."""
        if self.points is not None:
            return self.points
        return [NewPoint(text=text) for text in self.texts or []]


class UpsertAnswer(BaseModel):
    """What was written; sent after the write is on disk."""

    ids: list[str | int] = Field(description="Of all points, in the order they were sent.")
    count: int = Field(description="Points written by this request.")
    inserted: int
    replaced: int
    skipped: int = Field(description="Points left as they were, because `on_conflict` is `skip`.")
    truncated: int = Field(description="Texts that were longer than the model reads; it read their beginning.")
    truncated_ids: list[str | int]


class SelectionRequest(Body):
    """Which points: those of `ids`, unknown ones being ignored, or those that `filter` lets through."""

    ids: list[PointId] | None = None
    filter: FilterJson | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        require_one_of(self, "ids", "filter")
        return self


class DeletePointsRequest(SelectionRequest):
    """Points to delete, by `ids` or by `filter`."""

    model_config = example(filter={"must": [{"key": "year", "range": {"lt": 2022}}]})


class DeletedAnswer(BaseModel):
    """How many there were and are no more."""

    deleted: int


class SetMetadataRequest(SelectionRequest):
    """Fields to set in the metadata of some points; their other fields stay."""

    model_config = example(ids=[1, "b"], metadata={"checked": True})

    metadata: Metadata


class DeleteMetadataRequest(SelectionRequest):
    """Top-level fields to delete from the metadata of some points."""

    model_config = example(ids=["b"], keys=["checked"])

    keys: Annotated[list[str], Field(max_length=256)]


class UpdatedAnswer(BaseModel):
    """How many points there were."""

    updated: int


class _Parts(Body):
    """Which parts of the points to answer with."""

    with_text: bool = True
    with_metadata: bool = True
    with_vector: bool = False


class GetPointsRequest(_Parts):
    """Ids of points to read; unknown ones are left out of the answer."""

    model_config = example(ids=[1, "b"])

    ids: list[PointId]


class ScrollRequest(_Parts):
    """The next points in the order of writing."""

    model_config = example(limit=10, filter={"must": [{"key": "kind", "match": {"value": "animal"}}]})

    limit: Limit = 100
    cursor: str | None = Field(None, description="`next_cursor` of the page before; the first page when absent.")
    filter: FilterJson | None = None


class CountRequest(Body):
    """Which points to count; all without a `filter`."""

    model_config = example(filter={"must": [{"key": "kind", "match": {"value": "animal"}}]})

    filter: FilterJson | None = None


class CountAnswer(BaseModel):
    """How many points there are."""

    count: int


class PointAnswer(BaseModel):
    """A point as it is kept; `text`, `metadata` and `vector` where they were asked for."""

    id: str | int
    text: str | None = None
    metadata: dict[str, Any] | None = None
    vector: list[float] | None = Field(None, description="Of length 1 in a cosine collection.")


class PointsAnswer(BaseModel):
    """Some points."""

    points: list[PointAnswer]


class PageAnswer(PointsAnswer):
    """Some points, and how to go on."""

    next_cursor: str | None = Field(description="null on the last page.")
