"""Sizes of the search room made so small that a few points are enough for everything that happens to many."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from service.search.embedded import kinds, rebuild, tending
from service.search.filters import cache
from service.search.indexes import flat, graph, ivf
from service.search.indexes.graph import GraphIndex
from service.search.points import IndexKind, Storage
from service.search.store import reading, writing

KINDS: tuple[tuple[IndexKind, Storage], ...] = (
    ("flat", "float32"),
    ("hnsw", "float32"),
    ("hnsw", "int8"),
    ("ivf", "float32"),
    ("ivf", "int8"),
    ("auto", "float32"),
    ("auto", "int8"),
)
APPROXIMATE_FROM, BACK_BELOW = 120, 60

SMALL: tuple[tuple[ModuleType, dict[str, Any]], ...] = (
    (
        kinds,
        {"APPROXIMATE_FROM": APPROXIMATE_FROM, "BACK_BELOW": BACK_BELOW, "REBUILD_FEWEST": 16, "LISTS_GROWN": 1.5},
    ),
    (ivf, {"FEWEST": 80, "SCAN_AT_MOST": 30, "PROBED_SHARE": 0.7, "lists_for": lambda count: max(2, count // 41)}),
    (graph, {"SCAN_AT_MOST": 30, "LINK_AT_ONCE": 16, "BREADTH": 48}),
    (flat, {"BLOCK_CELLS": 512}),
    (rebuild, {"CHUNK": 32}),
    (
        tending,
        {
            "CHUNK": 32,
            "MANY_BEHIND": 64,
            "LAST_GO": 8,
            "SAMPLE": 10_000,
            "KEEP_FROM": 20,
            "KEEP_AFTER": 0.0,
            "IDLE_S": 0.005,
        },
    ),
    (reading, {"BLOCK": 64}),
    (writing, {"CHUNK": 16}),
    (cache, {"MOST_READ": 20}),
)


def lower_thresholds(change: Callable[[Any, str, Any], None] = setattr) -> None:
    """Make them small in this process; raises AttributeError for one that is gone."""
    for module, sizes in SMALL:
        for name, size in sizes.items():
            getattr(module, name)
            change(module, name, size)


def kind_in_force(asked: IndexKind) -> str:
    """The kind that many points of a collection are searched with on this machine."""
    if asked != "auto":
        return asked
    return GraphIndex.kind if graph.is_available() else ivf.IvfIndex.kind
