"""Bodies of the routes that find points: search, several searches, duplicates."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from service.api.schemas.base import (
    Body,
    FilterJson,
    Limit,
    PointId,
    Texts,
    Vector,
    example,
    require_one_of,
    rule,
)
from service.search.points import Mode

MOST_BREADTH = 4_096


class SearchRequest(Body):
    """What to look for: `query`, `vector`, `vectors`, `id` or `ids`; several at once get a list of hits each."""

    model_config = example(
        query="a dog by the sea",
        limit=3,
        filter={"must": [{"key": "year", "range": {"gte": 2021}}]},
    )

    query: Texts | None = Field(None, description="One text or several.")
    vector: Vector | None = None
    vectors: list[Vector] | None = None
    id: PointId | None = Field(None, description="More like this point, which is left out itself.")
    ids: list[PointId] | None = Field(None, description="More like each of these points.")
    limit: Limit = Field(10, description="Hits, or groups, for each query.")
    offset: Annotated[int, Field(ge=0)] = Field(0, description="Pass over so many of the best hits.")
    score_threshold: float | None = Field(None, description="No hit has a lower score.")
    filter: FilterJson | None = Field(None, description="`must`, `should`, `must_not` over metadata and ids.")
    mode: Mode = Field("dense", description="By vectors, by words (`lexical`, BM25), or by both (`hybrid`).")
    exact: bool = Field(False, description="Look at every point, also where the index is approximate.")
    breadth: Annotated[int, Field(ge=1, le=MOST_BREADTH)] | None = Field(
        None, description="How much an approximate index looks at; more finds more, and is slower."
    )
    with_text: bool = True
    with_metadata: bool = True
    with_vector: bool = False
    group_by: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        None, description="A field of the metadata: answer with groups of hits that share its value."
    )
    group_size: Limit = Field(1, description="Most hits of a group.")
    truncate: bool = Field(True, description="Cut queries that are too long; false refuses them.")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        require_one_of(self, "query", "vector", "vectors", "id", "ids")
        if self.mode != "dense" and self.query is None:
            raise rule("needs a `query` in the modes lexical and hybrid, which look for its words")
        if self.group_by is None and self.group_size != 1:
            raise rule("needs `group_by` with `group_size`")
        if self.group_by is not None and self.offset:
            raise rule("cannot take `offset` with `group_by`; ask with a higher `limit`")
        return self

    @property
    def queries(self) -> int:
        """How many lists of hits the answer has."""
        several = self.query if self.query is not None else self.vectors if self.vectors is not None else self.ids
        return 1 if several is None else len(several)

    @property
    def hits(self) -> int:
        """How many hits the answer has at most."""
        return self.queries * self.limit * self.group_size


class FoundPoint(BaseModel):
    """One hit; a higher score is closer. Parts that were not asked for are absent."""

    id: str | int
    score: float = Field(description="In the mode hybrid that of the joined ranks.")
    text: str | None = None
    metadata: dict[str, Any] | None = None
    vector: list[float] | None = None
    dense_score: float | None = Field(None, description="In the mode hybrid; null where only the words found it.")
    lexical_score: float | None = Field(None, description="In the mode hybrid; null where only the vector found it.")


class FoundGroup(BaseModel):
    """The best hits that share a value."""

    value: str | int | bool
    hits: list[FoundPoint]


class Found(BaseModel):
    """One list for each query: of hits, or with `group_by` of groups."""

    results: list[list[FoundPoint]] | None = None
    groups: list[list[FoundGroup]] | None = None
    truncated: int = Field(description="Queries that were longer than the model reads.")


class SearchAnswer(Found):
    """What was found, and by which model."""

    model_fingerprint: str
    took_ms: float


class SearchBatchRequest(Body):
    """Searches that are answered together, each one with its own rules."""

    model_config = example(searches=[{"query": "a dog", "limit": 2}, {"id": 1, "limit": 2}])

    searches: list[SearchRequest]


class SearchBatchAnswer(BaseModel):
    """The answer to each search, in their order."""

    answers: list[Found]
    model_fingerprint: str
    took_ms: float


class DuplicatesRequest(Body):
    """Look through the collection, a page at a time, for points that are close to another one."""

    model_config = example(threshold=0.9)

    threshold: float | None = Field(None, description="Least score of a pair; 0.95 with cosine, to be given with dot.")
    limit: Limit | None = Field(None, description="Points looked at for this page; 64 when absent.")
    cursor: str | None = Field(None, description="`next_cursor` of the page before; the first page when absent.")
    filter: FilterJson | None = Field(None, description="Look only at these points.")


class Duplicate(BaseModel):
    """A point that is close to the one it is told with."""

    id: str | int
    score: float
    text: str | None


class DuplicateGroup(BaseModel):
    """A point and those with a greater id that are close to it, closest first."""

    id: str | int
    text: str | None
    duplicates: list[Duplicate]
    more: bool = Field(description="There may be more of them than were looked at; a lower `limit` looks at more.")


class DuplicatesAnswer(BaseModel):
    """The pairs of one page; each pair of the collection is told once."""

    groups: list[DuplicateGroup]
    next_cursor: str | None = Field(description="null on the last page. A page without groups may have a next one.")
