from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import CheckpointError
from models.sentence_index import SentenceIndex, read_index
from models.vectors import unit

FINGERPRINT = "f" * 64


def drawn(count: int, seed: int = 0) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32))


def index_of(vectors: NDArray[np.float32]) -> SentenceIndex:
    return SentenceIndex(tuple(f"sentence {n}" for n in range(len(vectors))), vectors, "sentence", FINGERPRINT)


@pytest.mark.parametrize("top_k", [1, 7, 500])
def test_search_finds_what_sorting_all_finds(top_k: int) -> None:
    vectors, queries = drawn(300), drawn(20, seed=1)
    found = index_of(vectors).search(queries, top_k=top_k, threshold=None)
    for query, hits in zip(queries, found, strict=True):
        scores = vectors @ query
        best = np.argsort(-scores, kind="stable")[:top_k]
        assert [sentence for sentence, _ in hits] == [f"sentence {n}" for n in best]
        np.testing.assert_allclose([score for _, score in hits], scores[best], atol=1e-6)


def test_a_threshold_leaves_out_what_is_farther() -> None:
    vectors = drawn(300)
    (hits,) = index_of(vectors).search(vectors[:1], top_k=300, threshold=0.5)
    assert len(hits) == (vectors @ vectors[0] >= 0.5).sum()


def test_of_equal_sentences_the_first_comes_first() -> None:
    vectors = np.repeat(drawn(1), 50, axis=0)
    (hits,) = index_of(vectors).search(vectors[:1], top_k=3, threshold=None)
    assert [sentence for sentence, _ in hits] == ["sentence 0", "sentence 1", "sentence 2"]


def test_an_empty_index_has_no_hits() -> None:
    assert index_of(drawn(0)).search(drawn(2), top_k=5, threshold=None) == [[], []]


def test_adding_makes_another_index() -> None:
    vectors = drawn(3)
    one = index_of(vectors[:2])
    both = one.with_more(["the third"], vectors[2:])
    assert len(one.sentences) == 2
    assert both.search(vectors[2:], top_k=1, threshold=None)[0][0][0] == "the third"


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    index = SentenceIndex(("naïve café 😀", "two\nlines"), drawn(2), "grounded", FINGERPRINT)
    index.save(tmp_path / "index")
    read = read_index(tmp_path / "index", fingerprint=FINGERPRINT)
    assert (read.sentences, read.space, read.fingerprint) == (index.sentences, "grounded", FINGERPRINT)
    assert np.array_equal(read.vectors, index.vectors)


def test_the_index_of_another_model_is_refused(tmp_path: Path) -> None:
    index_of(drawn(2)).save(tmp_path / "index")
    with pytest.raises(CheckpointError, match=r"another model.*ffffffffffff.*eeeeeeeeeeee"):
        read_index(tmp_path / "index", fingerprint="e" * 64)


@pytest.mark.parametrize(
    "content", [b"", b"no index", b"\x02\0\0\0\0\0\0\0{}"], ids=["empty", "text", "another tensor file"]
)
def test_what_is_no_index_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index").write_bytes(content)
    with pytest.raises(CheckpointError, match="no index of sentences"):
        read_index(tmp_path / "index", fingerprint=FINGERPRINT)
