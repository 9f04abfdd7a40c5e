"""The corpus of the benchmarks: kept a block at a time, its queries none of its points."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from benchmarks.search import vectors
from benchmarks.search.vectors import corpus, real_vectors


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was embedded; sentences are numbered, and a vector is the number of its sentence."""
    (tmp_path / "wiki").mkdir()
    with gzip.open(tmp_path / "wiki" / "simplewiki_sentences.txt.gz", "wt", encoding="utf-8") as file:
        file.write("".join(f"{number}\n\n" for number in range(25)))
    calls: list[list[str]] = []

    def embed(texts: list[str]) -> vectors.Vectors:
        calls.append(texts)
        return np.array([[float(text)] * 2 for text in texts], np.float32)

    monkeypatch.setenv("MCSE_DATA", str(tmp_path))
    monkeypatch.setenv("MCSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(vectors, "BLOCK", 10)
    monkeypatch.setattr(vectors, "WIDTH", 2)
    monkeypatch.setattr(vectors, "embed", embed)
    return calls


def test_vectors_belong_to_their_sentences_and_blank_lines_are_none(embedded: list[list[str]]) -> None:
    found, texts = real_vectors(13)
    assert texts == [str(number) for number in range(13)]
    assert found[:, 0].tolist() == list(range(13))


def test_each_block_is_embedded_once_and_as_a_whole(embedded: list[list[str]]) -> None:
    real_vectors(5)
    real_vectors(12)
    real_vectors(20)
    assert [len(call) for call in embedded] == [10, 10]


def test_queries_come_after_the_points(embedded: list[list[str]]) -> None:
    given = corpus(8, 7)
    assert given.texts == [str(number) for number in range(8)]
    assert given.query_texts == [str(number) for number in range(8, 15)]
    assert given.queries[:, 0].tolist() == list(range(8, 15))


def test_more_sentences_than_there_are_is_refused(embedded: list[list[str]]) -> None:
    assert len(real_vectors(25)[0]) == 25
    with pytest.raises(ValueError, match="there are 25 sentences"):
        real_vectors(26)
