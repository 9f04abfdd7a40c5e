"""Pairs of points that are close to each other, found a page of a collection at a time."""

from dataclasses import dataclass

import numpy as np

from service.errors import InvalidInput
from service.search.backend import Collection
from service.search.points import Hit, PointId, Search, Selection, StoredPoint

COSINE_THRESHOLD = 0.95  # nearly the same sentence with every model we know


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A point that is close to the one of its group."""

    id: PointId
    score: float
    text: str | None


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """A point and those with a greater id that are close to it, closest first."""

    id: PointId
    text: str | None
    duplicates: tuple[Duplicate, ...]
    more: bool
    """There may be more of them than were looked at."""


@dataclass(frozen=True, slots=True)
class DuplicatePage:
    """What was found among the neighbours of some points; `next_cursor` is None on the last page."""

    groups: tuple[DuplicateGroup, ...]
    next_cursor: str | None


def find_duplicates(
    collection: Collection,
    *,
    threshold: float | None,
    limit: int,
    cursor: str | None,
    selection: Selection | None,
    neighbours: int,
) -> DuplicatePage:
    """Look at the next `limit` points, and at no more than `neighbours` close points of each.

    A pair is told with the smaller of its ids (integers before strings), so once, whichever page each of the two is
    on. `threshold` is the least score of a pair; None is 0.95 in a cosine collection. Raises InvalidInput and Conflict.
    """
    threshold = _threshold(collection, threshold)
    page = collection.scroll(limit=limit, cursor=cursor, selection=selection)
    if not page.points:
        return DuplicatePage((), page.next_cursor)
    search = Search(
        queries=np.stack([point.vector for point in page.points]),
        limit=neighbours + 1,  # it finds itself, too
        score_threshold=threshold,
        filter=None if selection is None else selection.filter,
        with_metadata=False,
    )
    found = zip(page.points, collection.search(search), strict=True)
    groups = (_group(point, hits, more=len(hits) > neighbours) for point, hits in found)
    return DuplicatePage(tuple(group for group in groups if group.duplicates or group.more), page.next_cursor)


def _threshold(collection: Collection, threshold: float | None) -> float:
    if threshold is not None:
        return threshold
    if collection.info().metric != "cosine":
        raise InvalidInput("The scores of this collection have no bounds (metric dot); send a `threshold`.")
    return COSINE_THRESHOLD


def _group(point: StoredPoint, hits: list[Hit], *, more: bool) -> DuplicateGroup:
    greater = [hit for hit in hits if _rank(hit.id) > _rank(point.id)]
    duplicates = tuple(Duplicate(hit.id, hit.score, hit.text) for hit in greater)
    return DuplicateGroup(point.id, point.text, duplicates, more)


def _rank(point_id: PointId) -> tuple[bool, int, str]:
    return (True, 0, point_id) if isinstance(point_id, str) else (False, point_id, "")
