"""Writes and searches beside them, on small collections of the real store."""

import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.search.beside import ROWS_PER_S, WRITES_PER_S, Writer, _search
from benchmarks.search.kept import copied
from benchmarks.search.ours import BATCH, create, fill, opened, settle
from benchmarks.search.vectors import Corpus


def given(count: int) -> Corpus:
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    texts = [f"text {number}" for number in range(count)]
    return Corpus(vectors, texts, vectors, texts)


def test_all_points_are_written_in_full_requests(tmp_path: Path) -> None:
    some = given(2 * BATCH + 3)
    with opened(tmp_path, 8) as collections:
        collection = create(collections)
        fill(collection, some.vectors, some.texts, [{"n": n} for n in range(len(some.texts))], first=100)
        settle(collection)
        assert collection.count() == len(some.vectors)
        [last] = collection.get([100 + len(some.texts) - 1])
    assert (last.text, last.metadata) == (some.texts[-1], {"n": len(some.texts) - 1})


def test_a_writer_keeps_its_pace_and_stops_with_the_block(tmp_path: Path) -> None:
    some = given(ROWS_PER_S)
    with opened(tmp_path, 8) as collections:
        collection = create(collections)
        writer = Writer(collection, some, first=0)
        with writer.at_work():
            taken = _search(collection, some, seconds=1.0, pace=50)
        written = collection.count()
        time.sleep(2 / WRITES_PER_S)
        assert collection.count() == written
    assert 20 <= len(taken) <= 51
    assert 0.4 * ROWS_PER_S <= written <= 1.3 * ROWS_PER_S


def test_a_copy_is_on_the_same_disk_and_gone_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "file").write_text("content")
    with copied(folder) as scratch:
        (scratch / "file").write_text("changed")
        assert scratch.stat().st_dev == folder.stat().st_dev
    assert not scratch.exists()
    assert (folder / "file").read_text() == "content"
    with pytest.raises(ValueError, match="inside"), copied(folder):
        raise ValueError("inside")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
