"""Searches of one collection in Qdrant: all queries of one in one request.

The two searches of a hybrid one are fused here, as Qdrant could, because the answer has the score of either.
"""

from collections.abc import Sequence
from dataclasses import replace

from qdrant_client import models

from service.search.fusion import reciprocal_rank_fusion
from service.search.points import Hit, Mode
from service.search.qdrant.asking import Plan
from service.search.qdrant.connection import Place
from service.search.qdrant.layout import ID, METADATA, TEXT, vector_of

FUSED_DEPTH = 100  # hits of each search that a fusion looks at, at least; as in the embedded store


def search(place: Place, plan: Plan) -> list[list[Hit]]:
    """For each query its hits, best first."""
    asked = plan.search
    if asked.mode != "hybrid":
        return [_above(plan, hits) for (hits,) in _found(place, plan, [asked.mode], asked.limit, asked.offset)]
    wanted = asked.offset + asked.limit
    found = _found(place, plan, ["dense", "lexical"], max(FUSED_DEPTH, 2 * wanted), 0)
    return [_above(plan, _fused(dense, lexical))[asked.offset : wanted] for dense, lexical in found]


def _found(place: Place, plan: Plan, modes: Sequence[Mode], limit: int, offset: int) -> list[list[list[Hit]]]:
    """For each query and mode the hits; none where there is no word to look for."""
    asked = [[plan.request(position, mode, limit, offset) for mode in modes] for position in range(plan.size)]
    requests = [each for every in asked for each in every if each is not None]
    if not requests:
        return [[[] for _ in modes] for _ in asked]
    with place.calling() as client:
        answers = iter(client.query_batch_points(place.name, requests))
    return [[[] if each is None else [*map(_hit, next(answers).points)] for each in every] for every in asked]


def _fused(dense: Sequence[Hit], lexical: Sequence[Hit]) -> list[Hit]:
    known = {hit.id: hit for hit in (*dense, *lexical)}
    number = {point_id: position for position, point_id in enumerate(known)}
    hits = list(known.values())
    by_vector, by_words = ([(number[hit.id], hit.score) for hit in each] for each in (dense, lexical))
    return [
        replace(hits[found.row], score=found.score, dense_score=found.dense, lexical_score=found.lexical)
        for found in reciprocal_rank_fusion(by_vector, by_words)
    ]


def _above(plan: Plan, hits: list[Hit]) -> list[Hit]:
    lowest = plan.search.score_threshold
    return hits if lowest is None else [hit for hit in hits if hit.score >= lowest]


def _hit(point: models.ScoredPoint) -> Hit:
    payload = point.payload or {}
    vector = None if point.vector is None else vector_of(point.vector)
    return Hit(payload[ID], point.score, payload.get(TEXT), payload.get(METADATA), vector)
