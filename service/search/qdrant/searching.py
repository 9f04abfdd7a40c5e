"""Searches of one collection in Qdrant: all queries of one in one request.

The two searches of a hybrid one are fused here, as Qdrant would, because the answer has the score of either.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from qdrant_client import models

from service.search.points import Hit, Mode, PointId
from service.search.qdrant.asking import FUSION_K, Asked, Plan
from service.search.qdrant.connection import Place
from service.search.qdrant.layout import DENSE, ID, METADATA, TEXT, vector_of


def search(place: Place, plan: Plan) -> list[list[Hit]]:
    """For each query its hits, best first."""
    wanted = plan.search
    if wanted.mode != "hybrid":
        found = _found(place, plan, [wanted.mode], wanted.limit, wanted.offset, plan.threshold)
        return [above(plan, hits) for (hits,) in found]
    both = _found(place, plan, ["dense", "lexical"], plan.depth, 0, None)
    return [above(plan, fused(dense, lexical)[wanted.offset :][: wanted.limit]) for dense, lexical in both]


def above(plan: Plan, hits: list[Hit]) -> list[Hit]:
    """Those that are not under the threshold."""
    lowest = plan.search.score_threshold
    return hits if lowest is None else [hit for hit in hits if hit.score >= lowest]


def fused(dense: Sequence[Hit], lexical: Sequence[Hit]) -> list[Hit]:
    """Reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009): by the sum of 1 / (60 + rank) in either list."""
    scores: defaultdict[PointId, float] = defaultdict(float)
    for hits in (dense, lexical):
        for rank, hit in enumerate(hits, 1):
            scores[hit.id] += 1 / (FUSION_K + rank)
    by_vector = {hit.id: hit.score for hit in dense}
    by_words = {hit.id: hit.score for hit in lexical}
    known = {hit.id: hit for hit in (*lexical, *dense)}
    best = sorted(scores, key=lambda point_id: -scores[point_id])
    return [
        replace(known[each], score=scores[each], dense_score=by_vector.get(each), lexical_score=by_words.get(each))
        for each in best
    ]


def hit_of(point: models.ScoredPoint) -> Hit:
    """A hit, with as much as was asked for."""
    payload = point.payload or {}
    vector = None if point.vector is None else vector_of(point.vector)
    return Hit(payload[ID], point.score, payload.get(TEXT), payload.get(METADATA), vector)


def request(plan: Plan, asked: Asked, *, limit: int, offset: int = 0, threshold: float | None) -> models.QueryRequest:
    """One query in one request of several."""
    return models.QueryRequest(
        query=asked.query,
        using=asked.using,
        prefetch=asked.prefetch,
        params=asked.params,
        filter=plan.filter,
        limit=limit,
        offset=offset,
        score_threshold=threshold,
        with_payload=plan.payload,
        with_vector=[DENSE] if plan.search.with_vector else False,
    )


def _found(
    place: Place, plan: Plan, modes: Sequence[Mode], limit: int, offset: int, threshold: float | None
) -> list[list[list[Hit]]]:
    """For each query and mode the hits; none where there is no word to look for."""
    asked = [[plan.asked(position, mode) for mode in modes] for position in range(plan.size)]
    requests = [
        request(plan, each, limit=limit, offset=offset, threshold=threshold)
        for every in asked
        for each in every
        if each is not None
    ]
    if not requests:
        return [[[] for _ in modes] for _ in asked]
    with place.calling() as client:
        answers = iter(client.query_batch_points(place.name, requests))
    return [
        [[] if each is None else [hit_of(point) for point in next(answers).points] for each in every] for every in asked
    ]
