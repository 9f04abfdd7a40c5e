"""A start with a kept index gives what a start from the store gives, whatever happened to the file."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import StoreError
from service.search.embedded import index_file
from service.search.embedded.collection import StoredCollection
from service.search.embedded.collections import Collections
from service.search.embedded.contents import from_parts
from service.search.embedded.ids import IdColumn
from service.search.embedded.opening import index_path
from service.search.filters.model import Filter, Range
from service.search.indexes import graph
from service.search.indexes.graph import GraphIndex
from service.search.points import IndexKind, Point, Search, Selection, Storage

Vectors = NDArray[np.float32]
Make = Callable[..., Vectors]
Open = Callable[..., Collections]
Exact = Callable[..., object]

COUNT = 500
WAYS: list[tuple[IndexKind, Storage]] = [("hnsw", "float32"), ("hnsw", "int8"), ("ivf", "float32"), ("ivf", "int8")]

pytestmark = [
    pytest.mark.skipif(not graph.is_available(), reason="the kernel is not built for this machine"),
    pytest.mark.usefixtures("small"),
]


@pytest.fixture
def keep(open_data: Open, vectors: Make, write: Callable[..., None], settle: Callable[..., int]) -> Callable[..., Path]:
    """Make `cats` of 500 points, keep its index, let `then` change it, and close; returns where the index is."""

    def make(
        index: IndexKind = "hnsw", storage: Storage = "float32", then: Callable[[StoredCollection], None] | None = None
    ) -> Path:
        collections = open_data(tended=False)
        cats = collections.create("cats", space="sentence", index=index, storage=storage)
        write(cats, vectors(COUNT))
        settle(cats)
        path = index_path(cats)
        assert path.is_file()
        if then:
            then(cats)
        collections.close()
        return path

    return make


@pytest.fixture
def same_as_from_the_store(open_data: Open, vectors: Make, exact: Exact) -> Callable[..., None]:
    """Open, and once more without the index file: both give the same. `believed` is whether the file is used."""

    def check(path: Path, *, believed: bool) -> None:
        queries = vectors(10)
        states: list[object] = []
        for _ in range(2):
            collections = open_data(tended=False)
            cats = collections.get("cats")
            assert cats.unverified is (believed and not states)
            low = Filter(must=(Range("n", lt=100.0),))
            states.append(
                (
                    exact(cats, queries, 30),
                    cats.count(),
                    cats.count(Selection(filter=low)),
                    [point.id for point in cats.scroll(limit=1_000).points],
                    collections.verify(),
                )
            )
            collections.close()
            path.unlink(missing_ok=True)
        assert states[0] == states[1]

    return check


@pytest.mark.parametrize(("index", "storage"), WAYS)
def test_a_kept_index_is_used(
    keep: Callable[..., Path], same_as_from_the_store: Callable[..., None], index: IndexKind, storage: Storage
) -> None:
    same_as_from_the_store(keep(index, storage), believed=True)


def change_some(cats: StoredCollection) -> None:
    rng = np.random.default_rng(7)
    made = rng.standard_normal((60, 8), dtype=np.float32)
    cats.upsert([Point(n, made[n]) for n in range(20)])  # replaced
    cats.upsert([Point(f"new {n}", made[n]) for n in range(20, 60)])
    cats.delete(Selection([*range(15, 40), "new 30", "new 59"]))
    cats.set_metadata(Selection([100, 101]), {"n": -1})


@pytest.mark.parametrize(("index", "storage"), WAYS)
def test_points_written_and_deleted_after_the_index_was_kept_are_right(
    keep: Callable[..., Path], same_as_from_the_store: Callable[..., None], index: IndexKind, storage: Storage
) -> None:
    same_as_from_the_store(keep(index, storage, change_some), believed=True)


def test_only_deletes_after_the_index_was_kept_are_right(
    keep: Callable[..., Path], same_as_from_the_store: Callable[..., None]
) -> None:
    path = keep(then=lambda cats: cats.delete(Selection([*range(0, COUNT, 3), COUNT - 1])) or None)
    same_as_from_the_store(path, believed=True)


def test_a_collection_emptied_after_its_index_was_kept_is_empty(
    keep: Callable[..., Path], same_as_from_the_store: Callable[..., None]
) -> None:
    same_as_from_the_store(keep(then=lambda cats: cats.delete(Selection(filter=Filter())) or None), believed=True)


def flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 4
    path.write_bytes(whole)


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(path.read_bytes() + b"more"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
    ],
    ids=["flipped", "shorter", "half", "longer", "empty", "gone"],
)
def test_a_damaged_index_is_not_used(
    keep: Callable[..., Path],
    same_as_from_the_store: Callable[..., None],
    damage: Callable[[Path], object],
) -> None:
    path = keep(then=change_some)
    damage(path)
    same_as_from_the_store(path, believed=False)


def test_the_index_of_another_collection_is_not_used(
    open_data: Open,
    keep: Callable[..., Path],
    same_as_from_the_store: Callable[..., None],
    vectors: Make,
    write: Callable[..., None],
    settle: Callable[..., int],
) -> None:
    path = keep()
    collections = open_data(tended=False)
    dogs = collections.create("dogs", space="sentence", index="hnsw")
    write(dogs, vectors(COUNT))
    settle(dogs)
    shutil.copy(index_path(dogs), path)
    collections.close()
    same_as_from_the_store(path, believed=False)


def test_an_index_kept_after_the_time_that_the_store_was_set_back_to_is_not_used(
    open_data: Open,
    keep: Callable[..., Path],
    same_as_from_the_store: Callable[..., None],
    vectors: Make,
    write: Callable[..., None],
    settle: Callable[..., int],
) -> None:
    """Row numbers are given again then: the file would have other vectors for them."""
    path = keep()
    data = path.parent.parent
    shutil.copytree(data, data.with_name("backup"), ignore=shutil.ignore_patterns("indexes"))
    collections = open_data(tended=False)
    write(collections.get("cats"), vectors(COUNT), COUNT)
    settle(collections.get("cats"))
    collections.close()
    later = path.read_bytes()
    shutil.rmtree(data)
    data.with_name("backup").rename(data)
    collections = open_data(tended=False)
    write(collections.get("cats"), vectors(COUNT), COUNT)
    collections.close()
    path.parent.mkdir()
    path.write_bytes(later)
    same_as_from_the_store(path, believed=False)


def test_an_index_that_lacks_a_point_of_its_time_is_not_used(
    keep: Callable[..., Path], same_as_from_the_store: Callable[..., None]
) -> None:
    def keep_without_one(cats: StoredCollection) -> None:
        view = cats.contents.view
        places = np.delete(np.arange(view.count), 7)
        index, ids = GraphIndex(8, keep_vectors=True), IdColumn()
        vectors = cats.contents.index.vectors_at(places)
        assert vectors is not None
        index.append(vectors)
        ids.extend(cats.contents.ids.many(places))
        contents = from_parts(index, ids, view.rows[places], 0)
        token = index_file.write(index_path(cats), contents, cats.static_info)
        cats.store.record_index(cats.number, token)

    same_as_from_the_store(keep(then=keep_without_one), believed=False)


def test_a_start_with_a_kept_index_reads_no_vectors(open_data: Open, keep: Callable[..., Path]) -> None:
    """A damaged row stops a start from the store, and not one with the index, which finds out later."""

    def damage(cats: StoredCollection) -> None:
        with cats.store._database.writing() as connection:
            connection.execute("UPDATE points SET text = 'another' WHERE id = 3")

    path = keep(then=damage)
    collections = open_data(tended=False)
    assert collections.get("cats").unverified
    assert collections.get("cats").search(
        Search(np.ones((1, 8), np.float32), limit=1, with_text=False, with_metadata=False)
    )
    collections.close()
    path.unlink()
    with pytest.raises(StoreError, match="damaged"):
        open_data(tended=False)
