"""The state of a collection's index in Qdrant, and the recall of its searches."""

from typing import Any

from qdrant_client import QdrantClient, models

from service.search.points import IndexReport
from service.search.qdrant.connection import Place
from service.search.qdrant.facts import Facts
from service.search.qdrant.layout import DENSE

BUSY = (models.CollectionStatus.YELLOW, models.CollectionStatus.GREY)
SAMPLE = 100  # points that are searched for to measure the recall
NEAREST = 10


def report(place: Place, facts: Facts, *, measure: bool) -> IndexReport:
    """What Qdrant says of the index.

    Qdrant does not say how much memory it takes, so that is computed from sizes; deleted points it clears by itself.
    """
    with place.calling() as client:
        found = client.get_collection(place.name)
        recall = _recall(client, place.name) if measure else None
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


def _recall(client: QdrantClient, name: str) -> float | None:
    sample = models.SampleQuery(sample=models.Sample.RANDOM)
    points = client.query_points(name, query=sample, limit=SAMPLE, with_payload=False, with_vectors=[DENSE]).points
    queries = [point.vector[DENSE] for point in points if isinstance(point.vector, dict)]
    if not queries:
        return None
    found, true = (_nearest(client, name, queries, exact=exact) for exact in (False, True))
    shares = [len(got & wanted) / len(wanted) for got, wanted in zip(found, true, strict=True)]
    return sum(shares) / len(shares)


def _nearest(client: QdrantClient, name: str, queries: list[Any], *, exact: bool) -> list[set[object]]:
    params = models.SearchParams(exact=True) if exact else None
    requests = [
        models.QueryRequest(query=query, using=DENSE, limit=NEAREST, params=params, with_payload=False)
        for query in queries
    ]
    return [{point.id for point in answer.points} for answer in client.query_batch_points(name, requests)]
