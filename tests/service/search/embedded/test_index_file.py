"""The kept index: believed when everything about it is right, and never else."""

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.search.embedded import index_file
from service.search.embedded.contents import Contents, changed, empty
from service.search.graph import library
from service.search.indexes import graph
from service.search.indexes.base import NotNow, VectorIndex
from service.search.indexes.flat import FlatIndex
from service.search.indexes.graph import GraphIndex
from service.search.indexes.ivf import IvfIndex
from service.search.points import CollectionInfo

Vectors = NDArray[np.float32]
Make = Callable[..., Vectors]

COUNT = 800
ROWS = np.arange(COUNT) * 3 + 5
WAYS = [("hnsw", "float32"), ("hnsw", "int8"), ("ivf", "float32"), ("ivf", "int8")]
INFO = CollectionInfo("cats", "sentence", "cosine", 8, "f" * 64, "auto", "float32", None, "2026-01-01T00:00:00Z", 0)

pytestmark = pytest.mark.skipif(not graph.is_available(), reason="the kernel is not built for this machine")


def filled(index: VectorIndex, vectors: Vectors) -> Contents:
    nothing = np.empty(0, np.int64)
    made = changed(empty(index), nothing, ROWS, [f"p{row}" if row % 2 else int(row) for row in ROWS], vectors, 9)
    while index.unfinished():
        index.tend(1, COUNT)
    return made


def make(kind: str, storage: str, vectors: Vectors) -> Contents:
    keep = storage == "float32"
    if kind == "hnsw":
        return filled(GraphIndex(8, keep_vectors=keep), vectors)
    return filled(IvfIndex.trained(vectors, count=COUNT, keep_vectors=keep), vectors)


@pytest.fixture
def kept(tmp_path: Path, vectors: Make) -> tuple[Path, str]:
    """A file and its token."""
    path = tmp_path / "indexes" / "1.index"
    return path, index_file.write(path, make("hnsw", "float32", vectors(COUNT)), INFO)


@pytest.mark.parametrize(("kind", "storage"), WAYS)
def test_what_was_written_answers_as_before(kind: str, storage: str, tmp_path: Path, vectors: Make) -> None:
    info = replace(INFO, storage=storage)
    before = make(kind, storage, vectors(COUNT))
    token = index_file.write(tmp_path / "1.index", before, info)
    after = index_file.read(tmp_path / "1.index", info, token)
    assert after is not None
    np.testing.assert_array_equal(after.view.rows, ROWS)
    assert after.ids.many(np.arange(COUNT)) == before.ids.many(np.arange(COUNT))
    assert (after.index.kind, after.index.exact_scores) == (kind, storage == "float32")
    assert (after.all_live, after.view.generation) == (True, 0)
    queries = vectors(20)
    for one, other in zip(
        before.index.nearest(queries, 9, count=COUNT, allowed=None),
        after.index.nearest(queries, 9, count=COUNT, allowed=None),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("kind", "storage"), WAYS)
def test_an_index_that_was_read_can_grow(kind: str, storage: str, tmp_path: Path, vectors: Make) -> None:
    info = replace(INFO, storage=storage)
    token = index_file.write(tmp_path / "1.index", make(kind, storage, vectors(COUNT)), info)
    read = index_file.read(tmp_path / "1.index", info, token)
    assert read is not None
    far = np.full((1, 8), 100, np.float32)
    grown = changed(read, np.empty(0, np.int64), np.array([10_000]), ["new"], far, 10)
    found = grown.index.nearest(far, 1, count=COUNT + 1, allowed=None)
    assert grown.ids.many(found.places[0]) == ["new"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fingerprint": "e" * 64}, "its fingerprint is not that of the collection"),
        ({"storage": "int8"}, "its storage is not that of the collection"),
        ({"dimension": 4}, "its width is not that of the collection"),
    ],
)
def test_the_index_of_another_collection_is_not_believed(
    kept: tuple[Path, str], change: dict[str, Any], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, token = kept
    assert index_file.read(path, replace(INFO, **change), token) is None
    assert [record.__dict__["reason"] for record in caplog.records] == [message]


def test_an_index_with_another_token_is_not_believed(kept: tuple[Path, str], caplog: pytest.LogCaptureFixture) -> None:
    assert index_file.read(kept[0], INFO, secrets.token_hex(16)) is None
    assert [record.__dict__["reason"] for record in caplog.records] == ["its token is not that of the collection"]
    assert index_file.read(kept[0], INFO, None) is None


def test_every_file_has_a_token_of_its_own(kept: tuple[Path, str], vectors: Make) -> None:
    assert index_file.write(kept[0], make("hnsw", "float32", vectors(COUNT)), INFO) != kept[1]
    assert index_file.read(kept[0], INFO, kept[1]) is None


def test_an_index_of_another_format_is_not_believed(
    kept: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(index_file, "FORMAT", index_file.FORMAT + 1)
    assert index_file.read(*kept_as(kept)) is None
    assert [record.__dict__["reason"] for record in caplog.records] == ["its format is not that of the collection"]


def kept_as(kept: tuple[Path, str]) -> tuple[Path, CollectionInfo, str]:
    return kept[0], INFO, kept[1]


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.2, 0.5, 0.9, 0.9999])
def test_a_file_that_was_cut_is_not_believed(kept: tuple[Path, str], share: float) -> None:
    whole = kept[0].read_bytes()
    kept[0].write_bytes(whole[: int(len(whole) * share)])
    assert index_file.read(*kept_as(kept)) is None


@pytest.mark.parametrize("less", [1, 31, 32, 33])
def test_a_file_without_its_end_is_not_believed(kept: tuple[Path, str], less: int) -> None:
    kept[0].write_bytes(kept[0].read_bytes()[:-less])
    assert index_file.read(*kept_as(kept)) is None


def test_a_file_with_one_bit_flipped_is_not_believed(
    kept: tuple[Path, str], rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    whole = kept[0].read_bytes()
    for at in [0, 40, len(whole) - 1, *rng.integers(0, len(whole), 20).tolist()]:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        kept[0].write_bytes(damaged)
        assert index_file.read(*kept_as(kept)) is None
    assert {record.__dict__["reason"] for record in caplog.records} == {"it is damaged"}
    kept[0].write_bytes(whole)
    assert index_file.read(*kept_as(kept)) is not None


@pytest.mark.parametrize("more", [b"\0", b"x" * 32, b"x" * 100_000])
def test_a_file_with_something_behind_it_is_not_believed(kept: tuple[Path, str], more: bytes) -> None:
    kept[0].write_bytes(kept[0].read_bytes() + more)
    assert index_file.read(*kept_as(kept)) is None


def test_a_directory_in_its_place_and_no_file_at_all_are_nothing(tmp_path: Path) -> None:
    assert index_file.read(tmp_path, INFO, "0" * 32) is None
    assert index_file.read(tmp_path / "missing", INFO, "0" * 32) is None


def test_a_file_that_cannot_be_read_is_not_believed(kept: tuple[Path, str], caplog: pytest.LogCaptureFixture) -> None:
    kept[0].unlink()
    kept[0].symlink_to("/proc/self/mem")
    assert index_file.read(*kept_as(kept)) is None
    assert caplog.records[0].levelno == logging.WARNING


def test_a_graph_is_not_believed_where_the_kernel_is_missing(
    kept: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "library_path", lambda: None)
    assert index_file.read(*kept_as(kept)) is None


def test_an_exact_index_is_never_believed(tmp_path: Path, vectors: Make) -> None:
    token = index_file.write(tmp_path / "1.index", filled(FlatIndex(8), vectors(COUNT)), INFO)
    assert index_file.read(tmp_path / "1.index", INFO, token) is None


def test_an_ivf_index_is_not_written_while_it_has_more_than_the_state(tmp_path: Path, vectors: Make) -> None:
    before = make("ivf", "float32", vectors(COUNT))
    path = tmp_path / "1.index"
    index_file.write(path, before, INFO)
    whole = path.read_bytes()
    changed(before, np.empty(0, np.int64), np.array([10_000]), ["new"], vectors(1), 10)
    with pytest.raises(NotNow):
        index_file.write(path, before, INFO)
    assert path.read_bytes() == whole
    assert [*tmp_path.iterdir()] == [path]


def test_a_graph_is_written_as_the_state_has_it_though_it_has_grown(tmp_path: Path, vectors: Make) -> None:
    before = make("hnsw", "float32", vectors(COUNT))
    changed(before, np.empty(0, np.int64), np.array([10_000]), ["new"], vectors(1), 10)
    token = index_file.write(tmp_path / "1.index", before, INFO)
    read = index_file.read(tmp_path / "1.index", INFO, token)
    assert read is not None
    assert (read.view.count, len(read.index), len(read.ids)) == (COUNT, COUNT, COUNT)


def test_the_header_is_a_line_that_people_can_read(kept: tuple[Path, str]) -> None:
    header = json.loads(kept[0].read_bytes().split(b"\n")[0])
    assert header == {
        "format": index_file.FORMAT, "token": kept[1], "kind": "hnsw", "storage": "float32",
        "fingerprint": "f" * 64, "width": 8, "count": COUNT,
    }  # fmt: skip
