"""One query of a search in Qdrant's terms."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from service.errors import InvalidInput
from service.search import vectors
from service.search.points import Mode, Search
from service.search.qdrant.facts import Facts
from service.search.qdrant.filters import of_search
from service.search.qdrant.layout import DENSE, ID, METADATA, TEXT, WORDS
from service.search.qdrant.words import of_query

CANDIDATES = 100  # the least that each of the two searches of a hybrid one brings
FUSION_K = 60  # of reciprocal rank fusion: 1 / (k + rank), the best rank being 1
OVERSAMPLING = 2.0  # of the codes of int8: so many times the hits are scored exactly


@dataclass(frozen=True, slots=True)
class Asked:
    """What Qdrant is asked for one query."""

    query: list[float] | models.SparseVector | models.RrfQuery
    using: str | None = None
    prefetch: list[models.Prefetch] | None = None
    params: models.SearchParams | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A checked search: `queries` are as they are compared."""

    search: Search
    queries: NDArray[np.float32] | None
    filter: models.Filter | None
    flat: bool
    int8: bool

    @property
    def size(self) -> int:
        """How many queries there are."""
        return len(self.queries) if self.queries is not None else len(self.search.words or ())

    @property
    def depth(self) -> int:
        """Hits wanted of each of the two searches of a hybrid one."""
        return max(CANDIDATES, self.search.limit + self.search.offset)

    @property
    def threshold(self) -> float | None:
        """The nearest number under the one that was asked for: Qdrant leaves out what is equal to it."""
        lowest = self.search.score_threshold
        return None if lowest is None else float(np.nextafter(np.float32(lowest), np.float32(-np.inf)))

    @property
    def payload(self) -> list[str]:
        """Fields of the payload that a hit needs."""
        wanted = {ID: True, TEXT: self.search.with_text, METADATA: self.search.with_metadata}
        return [name for name, needed in wanted.items() if needed]

    def asked(self, position: int, mode: Mode) -> Asked | None:
        """Query `position` in `mode`; None if there is no word to look for."""
        if mode == "dense":
            return self._dense(position)
        lexical = self._lexical(position)
        if mode == "lexical" or lexical is None:
            return lexical if mode == "lexical" else self._dense(position)
        both = [self._prefetch(self._dense(position)), self._prefetch(lexical)]
        return Asked(models.RrfQuery(rrf=models.Rrf(k=FUSION_K + 1)), prefetch=both)  # Qdrant's best rank is 0

    def _dense(self, position: int) -> Asked:
        if self.queries is None:
            raise InvalidInput(f"A search of mode {self.search.mode} needs vectors.")
        return Asked(self.queries[position].tolist(), DENSE, params=self._params())

    def _lexical(self, position: int) -> Asked | None:
        words = of_query((self.search.words or ())[position])
        return None if words is None else Asked(words, WORDS)

    def _params(self) -> models.SearchParams | None:
        if self.search.exact or (self.flat and not self.int8):
            return models.SearchParams(exact=True)
        if not self.int8:
            return None
        again = models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
        return models.SearchParams(quantization=again)

    def _prefetch(self, asked: Asked) -> models.Prefetch:
        return models.Prefetch(
            query=asked.query, using=asked.using, params=asked.params, filter=self.filter, limit=self.depth
        )


def planned(search: Search, facts: Facts) -> Plan:
    """Check a search; raises InvalidInput."""
    if search.limit < 1 or search.offset < 0:
        raise InvalidInput(f"limit is {search.limit} and offset {search.offset}; expected 1 or more, and 0 or more.")
    if search.score_threshold is not None and not math.isfinite(search.score_threshold):
        raise InvalidInput("score_threshold is not a finite number.")
    return Plan(
        search=search,
        queries=_queries(search, facts),
        filter=of_search(search.filter, search.exclude),
        flat=facts.index == "flat",
        int8=facts.storage == "int8",
    )


def _queries(search: Search, facts: Facts) -> NDArray[np.float32] | None:
    dense, lexical = search.mode != "lexical", search.mode != "dense"
    if (dense and search.queries is None) or (lexical and search.words is None):
        raise InvalidInput(f"A search of mode {search.mode} needs {'vectors' if search.queries is None else 'texts'}.")
    if not dense or search.queries is None:
        return None
    if lexical and len(search.queries) != len(search.words or ()):
        raise InvalidInput(
            f"There are {len(search.queries)} vectors and {len(search.words or ())} texts; send as many."
        )
    vectors.require(search.queries, facts.dimension, "queries")
    return vectors.unit(search.queries, "queries") if facts.metric == "cosine" else search.queries
