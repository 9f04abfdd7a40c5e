"""How much of the truth an approximate index finds, measured on the collection's own vectors."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.search.points import Hit, Search

SAMPLE = 64  # vectors to ask with
K = 10


def measured_recall(queries: NDArray[np.float32], search: Callable[[Search], list[list[Hit]]]) -> float | None:
    """recall@10 of `search` against the same with a look at every point; None without queries (n, width)."""
    if not len(queries):
        return None
    shares = []
    asked = Search(queries=queries, limit=K, with_text=False, with_metadata=False)
    exact = Search(queries=queries, limit=K, with_text=False, with_metadata=False, exact=True)
    for truth, found in zip(search(exact), search(asked), strict=True):
        ids = {hit.id for hit in truth}
        shares.append(len(ids & {hit.id for hit in found}) / len(ids) if ids else 1.0)
    return float(np.mean(shares))
