"""The queries of a search in Qdrant's terms."""

from dataclasses import dataclass, replace

import numpy as np
from qdrant_client import models

from service.errors import InvalidInput
from service.search import vectors
from service.search.checks import check_search
from service.search.points import Mode, Search
from service.search.qdrant.facts import Facts
from service.search.qdrant.filters import of_search
from service.search.qdrant.layout import DENSE, ID, METADATA, TEXT, WORDS
from service.search.qdrant.words import of_query

OVERSAMPLING = 2.0  # of the codes of int8: so many times the hits are scored exactly


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A search that was checked, with its queries as they are compared."""

    search: Search
    filter: models.Filter | None
    params: models.SearchParams | None
    """Of a search for the nearest vectors."""

    @property
    def size(self) -> int:
        """How many queries there are."""
        queries = self.search.words if self.search.mode == "lexical" else self.search.queries
        return 0 if queries is None else len(queries)

    def request(self, position: int, mode: Mode, limit: int, offset: int = 0) -> models.QueryRequest | None:
        """Query `position` in the mode dense or lexical; None if there is no word to look for."""
        query = self._vector(position) if mode == "dense" else of_query((self.search.words or ())[position])
        if query is None:
            return None
        return models.QueryRequest(
            query=query,
            using=DENSE if mode == "dense" else WORDS,
            params=self.params if mode == "dense" else None,
            filter=self.filter,
            limit=limit,
            offset=offset,
            score_threshold=None if self.search.mode == "hybrid" else self._threshold(),
            with_payload=self._payload(),
            with_vector=[DENSE] if self.search.with_vector else False,
        )

    def _vector(self, position: int) -> list[float]:
        if self.search.queries is None:
            raise InvalidInput(f"A search of mode {self.search.mode} needs vectors.")
        found: list[float] = self.search.queries[position].tolist()
        return found

    def _threshold(self) -> float | None:
        """The nearest number under the one that was asked for: Qdrant leaves out what is equal to it."""
        lowest = self.search.score_threshold
        return None if lowest is None else float(np.nextafter(np.float32(lowest), np.float32(-np.inf)))

    def _payload(self) -> list[str]:
        wanted = {ID: True, TEXT: self.search.with_text, METADATA: self.search.with_metadata}
        return [name for name, needed in wanted.items() if needed]


def planned(search: Search, facts: Facts) -> Plan:
    """Check a search; raises InvalidInput."""
    check_search(search)
    if search.queries is not None:
        queries = vectors.scaled(search.queries, facts.dimension, facts.metric, "queries")
        search = replace(search, queries=queries)
    return Plan(search, of_search(search.filter, search.exclude), _params(search, facts))


def _params(search: Search, facts: Facts) -> models.SearchParams | None:
    coded = facts.storage == "int8"
    if search.exact or (facts.index == "flat" and not coded):
        return models.SearchParams(exact=True)
    again = models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING) if coded else None
    if search.breadth is None and again is None:
        return None
    return models.SearchParams(hnsw_ef=search.breadth, quantization=again)
