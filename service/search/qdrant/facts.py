"""What a collection says of itself, kept in Qdrant as metadata of its collection."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from qdrant_client import models

from service.search.points import CollectionInfo

KEPT_AS = "mcse"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that never changes about a collection."""

    name: str
    identity: str
    """Another one for every collection that was ever made; later ones sort behind earlier ones."""
    space: str
    metric: str
    dimension: int
    fingerprint: str
    index: str
    storage: str
    description: str | None
    created_at: str

    def kept(self) -> dict[str, Any]:
        """As metadata of a collection in Qdrant."""
        return {KEPT_AS: asdict(self)}

    def told(self, name: str, count: int) -> CollectionInfo:
        """With the present name and count."""
        return CollectionInfo(
            name=name,
            space=self.space,
            metric=self.metric,
            dimension=self.dimension,
            fingerprint=self.fingerprint,
            index=self.index,
            storage=self.storage,
            description=self.description,
            created_at=self.created_at,
            count=count,
        )


NAMES = {each.name for each in fields(Facts)}


def facts_of(found: models.CollectionInfo) -> Facts | None:
    """The facts of a collection in Qdrant; None if this service did not make it."""
    kept = (found.config.metadata or {}).get(KEPT_AS)
    if not isinstance(kept, dict) or not kept.keys() >= NAMES:
        return None
    return Facts(**{name: kept[name] for name in NAMES})
