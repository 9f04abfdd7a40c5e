"""Texts as sparse vectors, against BM25 written out."""

import math

import numpy as np
import pytest
from qdrant_client import QdrantClient

from service.search.points import Point, Search
from service.search.qdrant.backend import QdrantBackend
from service.search.qdrant.words import AVERAGE_WORDS, K1, B, of_document, of_query

TEXTS = ["a cat and a dog", "Cat, cat; CAT_cat!", "no such animal", "a dog " + "barks " * 30]


def bm25(query: str, text: str) -> float:
    """Of Robertson and Zaragoza with Lucene's inverse document frequency."""
    words = [text.lower().replace("_", " ").translate({44: " ", 59: " ", 33: " "}).split() for text in TEXTS]
    own = words[TEXTS.index(text)]
    score = 0.0
    for word in query.split():
        having = sum(word in each for each in words)
        rare = math.log((len(TEXTS) - having + 0.5) / (having + 0.5) + 1)
        count = own.count(word)
        score += rare * count * (K1 + 1) / (count + K1 * (1 - B + B * len(own) / AVERAGE_WORDS))
    return score


@pytest.mark.parametrize("query", ["cat", "dog a", "barks cat"])
def test_scores_are_those_of_bm25(query: str) -> None:
    backend = QdrantBackend(QdrantClient(":memory:"), fingerprint="f", dimensions={"s": 1}, max_points=9)
    collection = backend.create("texts", space="s")
    collection.upsert([Point(n, np.ones(1, np.float32), text) for n, text in enumerate(TEXTS)])
    [hits] = collection.search(Search(words=(query,), mode="lexical"))
    wanted = {n: bm25(query, text) for n, text in enumerate(TEXTS)}
    assert {hit.id: hit.score for hit in hits} == pytest.approx(
        {n: score for n, score in wanted.items() if score}, rel=1e-5
    )
    backend.close()


def test_a_word_has_one_place_in_texts_and_queries() -> None:
    document, query = of_document("Straße, café STRASSE café"), of_query("CAFÉ café straße")
    assert document is not None
    assert query is not None
    assert len(document.indices) == 3
    assert set(query.indices) < set(document.indices)
    assert query.values == [1, 1]
    assert document.indices == sorted(document.indices)


@pytest.mark.parametrize("text", ["", " ", "?!_-", "\n"])
def test_a_text_without_words_has_no_vector(text: str) -> None:
    assert of_document(text) is None
    assert of_query(text) is None
