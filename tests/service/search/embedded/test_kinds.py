"""Which kind of index answers, and when it is time for another."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.search.embedded import kinds
from service.search.embedded.kinds import first_index, is_due, kind_for
from service.search.embedded.tending import SAMPLE
from service.search.graph import library
from service.search.indexes import graph, ivf
from service.search.indexes.flat import FlatIndex
from service.search.indexes.ivf import IvfIndex
from service.search.points import CollectionInfo

FROM, BACK, FEWEST = kinds.APPROXIMATE_FROM, kinds.BACK_BELOW, ivf.FEWEST

with_kernel = pytest.mark.skipif(not graph.is_available(), reason="the kernel is not built for this machine")


def info(index: str = "auto", storage: str = "float32") -> CollectionInfo:
    return CollectionInfo("cats", "sentence", "cosine", 8, "f", index, storage, None, "2026-01-01T00:00:00Z", 0)


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(library, "library_path", lambda: tmp_path / "nothing.so")


@with_kernel
@pytest.mark.parametrize(
    ("asked", "points", "present", "kind"),
    [
        ("flat", 10**6, "flat", "flat"),
        ("auto", FROM - 1, "flat", "flat"),
        ("auto", FROM, "flat", "hnsw"),
        ("auto", BACK, "hnsw", "hnsw"),
        ("auto", BACK - 1, "hnsw", "flat"),
        ("hnsw", 0, "flat", "hnsw"),
        ("ivf", FEWEST - 1, "flat", "flat"),
        ("ivf", FEWEST, "flat", "ivf"),
        ("ivf", FEWEST - 1, "ivf", "flat"),
    ],
)
def test_the_kind_for_so_many_points(asked: str, points: int, present: str, kind: str) -> None:
    assert kind_for(asked, points, present) == kind


@pytest.mark.parametrize(
    ("asked", "points", "present", "kind"),
    [
        ("hnsw", 10**6, "flat", "flat"),
        ("auto", FROM, "flat", "ivf"),
        ("auto", BACK, "ivf", "ivf"),
        ("auto", BACK - 1, "ivf", "flat"),
    ],
)
def test_without_the_kernel_there_is_no_graph(
    no_kernel: None, asked: str, points: int, present: str, kind: str
) -> None:
    assert kind_for(asked, points, present) == kind


@with_kernel
def test_auto_does_not_go_to_and_fro() -> None:
    kind, changes = "flat", 0
    for points in [*range(0, 2 * FROM, 5_000), *range(2 * FROM, 0, -5_000), *([FROM - 1, FROM + 1] * 20)]:
        now = kind_for("auto", points, kind)
        changes += now != kind
        kind = now
    assert changes == 3


@with_kernel
@pytest.mark.parametrize("storage", ["float32", "int8"])
def test_a_graph_is_there_from_the_first_point_and_keeps_what_its_storage_says(storage: str) -> None:
    index = first_index(info("hnsw", storage), 0)
    assert (index.kind, index.exact_scores) == ("hnsw", storage == "float32")
    assert first_index(info("ivf", storage), 10**6).kind == "flat"
    assert first_index(info("auto", storage), 0).kind == "flat"
    assert first_index(info("auto", storage), FROM).kind == "hnsw"


@pytest.mark.parametrize(
    ("places", "dead", "due"),
    [(4_096, 1_024, False), (4_095, 1_024, True), (2_000, 1_023, False), (0, 0, False), (2_000, 2_000, True)],
)
def test_an_index_with_many_deleted_places_is_due(places: int, dead: int, due: bool) -> None:
    assert is_due(info("flat"), FlatIndex(8), places, places - dead) is due


def test_an_index_of_another_kind_than_it_should_be_is_due() -> None:
    assert is_due(info("ivf"), FlatIndex(8), FEWEST, FEWEST)
    assert not is_due(info("ivf"), FlatIndex(8), FEWEST - 1, FEWEST - 1)


def test_lists_are_made_anew_when_there_should_be_three_times_as_many(
    vectors: Callable[..., NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = IvfIndex.trained(vectors(1_000), count=1_000, keep_vectors=True)
    assert index.lists == 25
    for lists, due in ((25, False), (75, False), (76, True)):
        monkeypatch.setattr(ivf, "lists_for", {FEWEST: lists}.get)
        assert is_due(info("ivf"), index, FEWEST, FEWEST) is due


def test_an_index_that_was_just_made_is_not_due() -> None:
    """It has as many lists as a look at the most vectors can give, and that must be enough for any size."""
    for count in (FEWEST, 100_000, 262_144, 10**6, 10**8):
        made = min(ivf.lists_for(count), min(count, SAMPLE) // 40)
        assert ivf.lists_for(count) <= kinds.LISTS_GROWN * made
