"""Join the hits of two searches by their ranks."""

from collections.abc import Sequence
from typing import NamedTuple

# Cormack et al., "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods" (2009), with a
# smaller constant than their 60, which makes nearly no difference between the first hit and the tenth. Measured where
# captions look for the others of their image: with 60 the answers are worse than those of vectors alone whatever the
# words weigh; so, they are as good or better, and three words of a sentence find it among the ten best in 95 % of cases
# instead of 76 % (`python -m benchmarks.search quality`).
K = 2
LEXICAL_WEIGHT = 0.3


class Fused(NamedTuple):
    """A row with its score, and in a fusion those that it came from; None where a search did not find it."""

    row: int
    score: float
    dense: float | None = None
    lexical: float | None = None


def reciprocal_rank_fusion(
    dense: Sequence[tuple[int, float]],
    lexical: Sequence[tuple[int, float]],
    weight: float = LEXICAL_WEIGHT,
    k: int = K,
) -> list[Fused]:
    """Rows of both lists (row, score), best first, by the sum of weight / (k + rank); the lower row among equals."""
    scores: dict[int, float] = {}
    for weighted, hits in ((1.0, dense), (weight, lexical)):
        for rank, (row, _) in enumerate(hits, start=1):
            scores[row] = scores.get(row, 0.0) + weighted / (k + rank)
    by_dense, by_lexical = dict(dense), dict(lexical)
    ordered = sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))
    return [Fused(row, score, by_dense.get(row), by_lexical.get(row)) for row, score in ordered]
