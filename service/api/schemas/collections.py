"""Bodies of the routes of collections, their aliases and their snapshots."""

from typing import Annotated

from pydantic import BaseModel, Field

from service.api.schemas.base import Body, Parameters, example
from service.engine.space import Space
from service.search.names import NAME
from service.search.points import IndexKind, Metric, Storage

CollectionName = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]


class CreateCollectionRequest(Body):
    """What a collection is; fixed once it is made."""

    model_config = example(space="sentence", index="auto", description="Captions of photographs")

    space: Space = Field("sentence", description="`grounded` is the space shared with images.")
    metric: Metric = "cosine"
    index: IndexKind = Field("auto", description="`flat` is exact; `auto` is flat while small, then hnsw.")
    storage: Storage = Field("float32", description="Numbers in memory; `int8` takes a quarter.")
    description: Annotated[str, Field(max_length=1000)] | None = None


class SnapshotAnswer(BaseModel):
    """A file that holds a whole collection."""

    name: str
    bytes: int
    created_at: str
    sha256: str
    count: int


class SnapshotsAnswer(BaseModel):
    """Oldest first."""

    snapshots: list[SnapshotAnswer]


class CollectionAnswer(BaseModel):
    """What a collection says of itself."""

    name: str
    space: str
    metric: str
    dimension: int
    model_fingerprint: str = Field(description="The model that made its vectors.")
    index: str = Field(description="The kind that was asked for.")
    storage: str
    description: str | None
    created_at: str
    count: int


class CollectionsAnswer(BaseModel):
    """Oldest first."""

    collections: list[CollectionAnswer]


class StatusAnswer(BaseModel):
    """The state of the index that answers the searches."""

    index: str = Field(description="The kind in force.")
    memory_bytes: int
    deleted_share: float = Field(description="Share of its places that wait for the next rebuild.")
    building: bool
    recall: float | None = Field(description="recall@10 against an exact search; null where nobody measured.")
    last_snapshot: SnapshotAnswer | None


class DescriptionAnswer(CollectionAnswer):
    """What a collection says of itself, the names that stand for it, and the state of its index."""

    aliases: list[str]
    status: StatusAnswer


class DescribeParameters(Parameters):
    """How closely to look."""

    measure: bool = Field(False, description="Measure the recall now, on some of the collection's own vectors.")


class SetAliasRequest(Body):
    """The collection that the alias stands for from now on."""

    model_config = example(collection="pets")

    collection: CollectionName


class AliasAnswer(BaseModel):
    """A name that stands for a collection."""

    alias: str
    collection: str


class SwitchedAliasAnswer(AliasAnswer):
    """An alias after it was set."""

    before: str | None = Field(description="The collection it stood for until now.")


class AliasesAnswer(BaseModel):
    """By name."""

    aliases: list[AliasAnswer]


class RestoreRequest(Body):
    """Where the points of a snapshot go."""

    model_config = example(**{"as": "pets-restored"})

    target: CollectionName | None = Field(
        None, alias="as", description="Name of the collection to make; its own when absent."
    )
    replace: bool = Field(False, description="Take the place of a collection that has the name.")


class UploadParameters(Parameters):
    """What becomes of a collection that has the name."""

    replace: bool = Field(False, description="Take the place of a collection that has the name.")
