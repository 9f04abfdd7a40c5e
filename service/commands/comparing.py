"""Compare two collections point by point, and make the digest of each."""

import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from service.commands.batches import PointId
from service.commands.client import Client, collection_path
from service.commands.copying import one_ahead
from service.commands.pages import pages
from service.commands.progress import Update

TOLERANCE = 1e-6
"""Of each number of a vector: a place that makes vectors unit length again may change their last bits."""

_MODULUS = 2**256
_EXAMPLES = 5


@dataclass(slots=True)
class Comparison:
    """How alike two collections are, seen from the points of the first one."""

    points: int = 0
    missing: int = 0
    """Points that the other one lacks."""
    different: int = 0
    """Points with another text or metadata there, or with a vector beyond the tolerance."""
    examples: list[PointId] = field(default_factory=list)
    """Ids of the first of both."""
    largest: float = 0.0
    """The greatest difference of two numbers of the vectors; 0 is bit for bit."""
    digests: tuple[str, str] = ("", "")
    """Of the points that both have: SHA-256 of each, added up, so that their order does not matter."""


def compare(ours: tuple[Client, str], theirs: tuple[Client, str], *, page: int, update: Update) -> Comparison:
    """Read each point of the collection `ours`, and the one of the same id of `theirs`. Raises CommandError."""
    found = Comparison()
    sums = [0, 0]
    path = collection_path(theirs[1], "/points")
    with closing(one_ahead(pages(ours[0], ours[1], limit=page, with_vector=True))) as found_pages:
        for each in found_pages:
            ids = [point["id"] for point in each.points]
            asked = {"ids": ids, "with_text": True, "with_metadata": True, "with_vector": True}
            others = {point["id"]: point for point in theirs[0].call("POST", path, asked)["points"]} if ids else {}
            for point in each.points:
                compare_one(point, others.get(point["id"]), found, sums)
            update(found.points, found.points)
    found.digests = (f"{sums[0]:064x}", f"{sums[1]:064x}")
    return found


def compare_one(point: dict[str, Any], other: dict[str, Any] | None, found: Comparison, sums: list[int]) -> None:
    """Count a point and the one of its id at the other place; adds the digest of each to the two `sums`."""
    found.points += 1
    if other is None:
        found.missing += 1
    else:
        for side, each in enumerate((point, other)):
            sums[side] = (sums[side] + _digest(each)) % _MODULUS
        distance = _distance(point["vector"], other["vector"])
        found.largest = max(found.largest, distance)
        if distance <= TOLERANCE and _payload(point) == _payload(other):
            return
        found.different += 1
    found.examples += [point["id"]][: _EXAMPLES - len(found.examples)]


def _digest(point: dict[str, Any]) -> int:
    vector = np.array(point["vector"], np.float32).tobytes()
    return int.from_bytes(hashlib.sha256(_payload(point) + vector).digest())


def _payload(point: dict[str, Any]) -> bytes:
    return orjson.dumps([point["id"], point["text"], point["metadata"] or {}], option=orjson.OPT_SORT_KEYS)


def _distance(one: list[float], other: list[float]) -> float:
    if len(one) != len(other):
        return float("inf")
    return float(np.abs(np.array(one, np.float32) - np.array(other, np.float32)).max(initial=0))
