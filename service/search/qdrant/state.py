"""The state of a collection's index in Qdrant."""

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from service.search.points import IndexReport
from service.search.qdrant.connection import Place
from service.search.qdrant.facts import Facts
from service.search.qdrant.layout import DENSE, vector_of
from service.search.recall import SAMPLE

BUSY = (models.CollectionStatus.YELLOW, models.CollectionStatus.GREY)


def report(place: Place, facts: Facts, recall: float | None) -> IndexReport:
    """What Qdrant says of the index, with a recall that was measured.

    Qdrant does not say how much memory it takes, so that is computed from sizes; deleted points it clears by itself.
    """
    with place.calling() as client:
        found = client.get_collection(place.name)
    points, indexed = found.points_count or 0, found.indexed_vectors_count or 0
    graph = facts.index != "flat" and indexed > 0
    numbers = points * facts.dimension * (1 if facts.storage == "int8" else 4)
    links = indexed * found.config.hnsw_config.m * 2 * 4 if graph else 0
    return IndexReport(
        kind="hnsw" if graph else "flat",
        memory_bytes=numbers + links,
        deleted_share=0.0,
        building=found.status in BUSY,
        recall=recall,
    )


def sample(place: Place, facts: Facts) -> NDArray[np.float32]:
    """Some of the collection's own vectors (n, dimension)."""
    chosen = models.SampleQuery(sample=models.Sample.RANDOM)
    with place.calling() as client:
        answer = client.query_points(place.name, query=chosen, limit=SAMPLE, with_payload=False, with_vectors=[DENSE])
    found = [vector_of(point.vector) for point in answer.points]
    return np.array(found, np.float32).reshape(len(found), facts.dimension)
