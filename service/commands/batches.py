"""Points on their way to a service, gathered into writes that it takes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import orjson

from service.importing.records import Rejection

Mark = TypeVar("Mark")

PointId: TypeAlias = str | int

_FRAME_BYTES = 64  # of a write around its points


class Draft(NamedTuple):
    """A point to write."""

    line: int
    """Where it comes from."""
    id: PointId
    body: bytes
    """As JSON."""


@dataclass(slots=True)
class Batch(Generic[Mark]):
    """Points of one write, no id twice, with the rejections met on the way."""

    mark: Mark
    """Where the reader was after it."""
    drafts: list[Draft] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    @property
    def ids(self) -> set[PointId]:
        """Of its points."""
        return {draft.id for draft in self.drafts}


def draft_of(line: int, point: dict[str, Any]) -> Draft:
    """`point` is as the API has it; what is None in it is left out."""
    return Draft(line, point["id"], orjson.dumps({name: value for name, value in point.items() if value is not None}))


def write_body(drafts: Iterable[Draft], on_conflict: str) -> bytes:
    """The body of a write of these points."""
    points = b",".join(draft.body for draft in drafts)
    return b'{"points":[' + points + b'],"on_conflict":"' + on_conflict.encode() + b'"}'


def gathered(
    items: Iterable[tuple[Mark, Draft | Rejection]], *, most_points: int, most_bytes: int
) -> Iterator[Batch[Mark]]:
    """Batches of these items, in their order; each item comes with the mark that holds after it.

    A batch ends before an id that it has already, so that the last of two points of one id wins, as in the file.
    """
    batch: Batch[Mark] | None = None
    ids: set[PointId] = set()
    size = _FRAME_BYTES
    for mark, item in items:
        cost = len(item.body) + 1 if isinstance(item, Draft) else 0
        if batch is not None and (
            len(batch.drafts) + len(batch.rejections) >= most_points
            or size + cost > most_bytes
            or (isinstance(item, Draft) and item.id in ids)
        ):
            yield batch
            batch, ids, size = None, set(), _FRAME_BYTES
        batch = batch if batch is not None else Batch(mark)
        batch.mark = mark
        size += cost
        if isinstance(item, Draft):
            batch.drafts.append(item)
            ids.add(item.id)
        else:
            batch.rejections.append(item)
    if batch is not None:
        yield batch
