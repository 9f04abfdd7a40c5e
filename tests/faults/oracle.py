"""What a collection should hold and answer: a dictionary, and NumPy over everything in it."""

import json
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.search.points import Hit, Metadata, Metric, Point, PointId, Search, StoredPoint

Vectors = NDArray[np.float32]
LetsThrough = Callable[[PointId, Metadata | None], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A point; `number` grows with every write, as a row number does."""

    number: int
    vector: Vectors
    text: str | None
    metadata: Metadata | None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A point with its true score."""

    id: PointId
    score: float


class Oracle:
    """Points in the order of their writing.

    `tolerance` is how far a score may be from NumPy's: 0 for dot, whose vectors are drawn such that every sum is exact.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.tolerance = 1e-5 if metric == "cosine" else 0.0
        self.points: dict[PointId, Kept] = {}
        self._last = 0
        self._matrix: Vectors | None = None

    def copy(self) -> "Oracle":
        """The same now, and independent from now on."""
        other = copy(self)
        other.points = dict(self.points)
        return other

    def upsert(self, points: Iterable[Point]) -> None:
        for point in points:
            self._write(point.id, self.scaled(point.vector), point.text, point.metadata)

    def delete(self, ids: Iterable[PointId]) -> int:
        self._matrix = None
        return sum(self.points.pop(one, None) is not None for one in ids)

    def change_metadata(self, ids: Iterable[PointId], change: Callable[[Metadata], Metadata]) -> None:
        """Points that change are written anew, in the order of their old writing."""
        chosen = set(ids)
        for one, kept in [entry for entry in self.points.items() if entry[0] in chosen]:
            after = change(dict(kept.metadata or {}))
            if json.dumps(after) != json.dumps(kept.metadata or {}):
                self._write(one, kept.vector, kept.text, after)

    def selected(self, lets_through: LetsThrough) -> list[PointId]:
        return [one for one, kept in self.points.items() if lets_through(one, kept.metadata)]

    def last_number(self) -> int:
        return self._last

    def after(self, number: int, lets_through: LetsThrough) -> list[PointId]:
        """Ids of the points that were written after this number, in the order of writing."""
        return [one for one in self.selected(lets_through) if self.points[one].number > number]

    def scaled(self, vector: Vectors) -> Vectors:
        if self.metric == "dot":
            return vector
        return (vector / np.linalg.norm(vector.astype(np.float64))).astype(np.float32)

    def ranked(self, query: Vectors, search: Search, lets_through: LetsThrough) -> list[Ranked]:
        """All points that may be found, best first, equal ones in the order of writing."""
        ids = [*self.points]
        if not ids:
            return []
        scores = self._vectors() @ self.scaled(query)
        lowest = -np.inf if search.score_threshold is None else search.score_threshold
        order = np.argsort(-scores, kind="stable").tolist()
        return [
            Ranked(ids[at], float(scores[at]))
            for at in order
            if scores[at] >= lowest
            and ids[at] not in search.exclude
            and lets_through(ids[at], self.points[ids[at]].metadata)
        ]

    def _vectors(self) -> Vectors:
        if self._matrix is None:
            self._matrix = np.stack([kept.vector for kept in self.points.values()])
        return self._matrix

    def _write(self, one: PointId, vector: Vectors, text: str | None, metadata: Metadata | None) -> None:
        self._matrix = None
        self._last += 1
        self.points.pop(one, None)
        self.points[one] = Kept(self._last, vector, text, metadata)


def require_hits_true(hits: Sequence[Hit], may_be: Sequence[Ranked], oracle: Oracle, search: Search) -> None:
    """No wrong score, no point that is not there or may not be found, none twice, in the right order."""
    scores = {one.id: one.score for one in may_be}
    assert len({hit.id for hit in hits}) == len(hits) <= search.limit
    for hit in hits:
        assert hit.id in scores
        assert abs(hit.score - scores[hit.id]) <= oracle.tolerance
        require_told(hit, oracle.points[hit.id], search, oracle.tolerance)
    ordered = [(-hit.score, oracle.points[hit.id].number) for hit in hits]
    assert ordered == sorted(ordered)


def require_told(hit: Hit, kept: Kept, search: Search, tolerance: float) -> None:
    assert hit.text == (kept.text if search.with_text else None)
    assert hit.metadata == (kept.metadata if search.with_metadata else None)
    assert (hit.vector is not None) is search.with_vector
    if hit.vector is not None:
        np.testing.assert_allclose(hit.vector, kept.vector, rtol=0, atol=tolerance)


def require_hits_exact(hits: Sequence[Hit], expected: Sequence[Ranked], tolerance: float) -> None:
    """NumPy's answer; with a tolerance, points whose scores are that close may change places."""
    assert len(hits) == len(expected)
    if not tolerance:
        assert [(hit.id, hit.score) for hit in hits] == [(one.id, one.score) for one in expected]
    for hit, one in zip(hits, expected, strict=True):
        assert abs(hit.score - one.score) <= tolerance


def recall_of(hits: Sequence[Hit], expected: Sequence[Ranked], tolerance: float) -> float:
    """Share of the expected hits that were found, or others that are as good."""
    good = sum(hit.score >= expected[-1].score - tolerance for hit in hits) if expected else 0
    return min(1.0, good / len(expected)) if expected else 1.0


def require_same_points(found: Sequence[StoredPoint], ids: Sequence[PointId], oracle: Oracle) -> None:
    """The points with these ids, in this order."""
    assert [point.id for point in found] == list(ids)
    for point in found:
        kept = oracle.points[point.id]
        assert (point.text, point.metadata) == (kept.text, kept.metadata)
        np.testing.assert_allclose(point.vector, kept.vector, rtol=0, atol=oracle.tolerance)
