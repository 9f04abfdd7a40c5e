import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from service.commands.embedding import chunks
from service.commands.embedding.chunks import Chunk, chunks_of
from service.commands.embedding.job import Done
from service.importing.errors import SourceError
from tests.service.commands.embedding.conftest import job_of


def texts_of(found: list[Chunk]) -> list[str | None]:
    return [record.text for chunk in found for record in chunk.records]


def test_records_come_in_chunks_that_end_with_their_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(f"a{n}\n" for n in range(20)))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"text": "b0"}\n{"text": 5}\n{"text": "b1"}\n'))
    found = list(chunks_of(job_of(tmp_path / "a.txt", tmp_path / "b.jsonl.gz"), Done()))
    assert [(chunk.file, len(chunk.records), chunk.items) for chunk in found] == [
        (0, 8, 8), (0, 8, 16), (0, 4, 20), (1, 2, 3),
    ]  # fmt: skip
    assert texts_of(found) == [*(f"a{n}" for n in range(20)), "b0", "b1"]
    assert [rejection.line for rejection in found[-1].rejections] == [2]
    sizes = [(tmp_path / name).stat().st_size for name in ("a.txt", "b.jsonl.gz")]
    assert found[-1].position == sum(sizes)


@pytest.mark.parametrize("stop", range(4))
def test_what_is_done_is_not_read_again(tmp_path: Path, stop: int) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("".join(f"{name}{n}\n" if n % 5 else "\n" for n in range(30)))
    job = job_of(tmp_path / "a.txt", tmp_path / "b.txt")
    whole = list(chunks_of(job, Done()))
    last = whole[stop]
    rest = list(chunks_of(job, Done(file=last.file, items=last.items, line=last.line)))
    assert rest == whole[stop + 1 :]


def test_an_empty_line_of_a_text_is_missed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\n  \ntwo\n")
    (chunk,) = chunks_of(job_of(tmp_path / "a.txt"), Done())
    assert [(each.line, each.reason) for each in chunk.rejections] == [
        (2, "The line is empty."),
        (3, "The line is empty."),
    ]
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n\n{"text": "two"}\n')
    (chunk,) = chunks_of(job_of(tmp_path / "a.jsonl"), Done())
    assert chunk.rejections == []


def test_a_vector_is_of_no_use_and_a_text_is_needed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"vector": [1, 2]}\n{"text": "two", "vector": "none"}\n')
    (chunk,) = chunks_of(job_of(tmp_path / "a.jsonl"), Done())
    assert [each.reason for each in chunk.rejections] == ["There is no text in `text`."]
    assert texts_of([chunk]) == ["two"]


def test_long_texts_make_small_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "_CHARACTERS", 100)
    (tmp_path / "a.txt").write_text(("x" * 60 + "\n") * 7)
    assert [len(chunk.records) for chunk in chunks_of(job_of(tmp_path / "a.txt"), Done())] == [2, 2, 2, 1]


def test_one_file_can_be_read_by_itself(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(name)
    job = job_of(*(tmp_path / f"{name}.txt" for name in "abc"))
    assert texts_of(list(chunks_of(job, Done(file=1), last=1))) == ["b"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    job = job_of(tmp_path / "none.txt")
    with pytest.raises(SourceError, match=r"none\.txt: there is no such file"):
        list(chunks_of(job, Done()))
    with pytest.raises(SourceError, match=r"its name does not tell its format"):
        list(chunks_of(replace(job, files=(str(tmp_path),)), Done()))
