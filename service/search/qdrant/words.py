"""Texts as sparse vectors of their words, with which Qdrant ranks as BM25 does (Robertson and Zaragoza, 2009).

A word's weight in a text is the saturated frequency of BM25; how rare the word is, Qdrant brings in when it searches
(modifier `idf`). The average length of a text is a constant, because Qdrant does not keep it.
"""

from collections import Counter
from functools import lru_cache
from hashlib import blake2b

from qdrant_client.models import SparseVector

from service.search.filters.words import words_of

K1 = 1.2
B = 0.75
AVERAGE_WORDS = 16  # a sentence of an encyclopedia has 15 on average
INDEX_BYTES = 4  # Qdrant numbers the places of a sparse vector with 32 bits


def of_document(text: str) -> SparseVector | None:
    """The weights of the words of a text to be found; None if it has no word."""
    counts = Counter(map(_index, words_of(text)))
    length = B * counts.total() / AVERAGE_WORDS + 1 - B
    return _sparse({index: count * (K1 + 1) / (count + K1 * length) for index, count in counts.items()})


def of_query(text: str) -> SparseVector | None:
    """The words to look for, each with the weight 1; None if there is none."""
    return _sparse(dict.fromkeys(map(_index, words_of(text)), 1.0))


def _sparse(weights: dict[int, float]) -> SparseVector | None:
    if not weights:
        return None
    ascending = sorted(weights.items())
    return SparseVector(indices=[index for index, _ in ascending], values=[weight for _, weight in ascending])


@lru_cache(65_536)
def _index(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(errors="surrogatepass"), digest_size=INDEX_BYTES).digest(), "big")
