"""Searches whose hits are grouped by a metadata field.

Qdrant groups by strings and whole numbers. The groups of true and false, of which there are at most two, are searched
for one by one where there is room for them.
"""

from collections.abc import Iterator
from dataclasses import replace

from qdrant_client import models

from service.errors import InvalidInput
from service.search.filters.model import Filter, MatchAny
from service.search.filters.paths import canonical
from service.search.points import Group
from service.search.qdrant.asking import Asked, Plan
from service.search.qdrant.connection import Place
from service.search.qdrant.filters import of_search
from service.search.qdrant.layout import DENSE, field
from service.search.qdrant.searching import above, hit_of, request


def search_groups(place: Place, plan: Plan, by: str, size: int) -> list[list[Group]]:
    """For each query at most `limit` groups of at most `size` hits, the one with the best hit first."""
    path = canonical(by)
    if path is None or size < 1:
        raise InvalidInput("Groups need the path of a field and a size of 1 or more.")
    return [_of_query(place, plan, position, path, size) for position in range(plan.size)]


def _of_query(place: Place, plan: Plan, position: int, path: str, size: int) -> list[Group]:
    asked = plan.asked(position, plan.search.mode)
    if asked is None:
        return []
    wanted = plan.search.limit + plan.search.offset
    groups = _by_texts_and_numbers(place, plan, asked, path, size, wanted)
    if len(groups) < wanted:
        groups = sorted(
            [*groups, *_by_booleans(place, plan, position, path, size)], key=lambda group: -group.hits[0].score
        )
    return groups[plan.search.offset : wanted]


def _by_texts_and_numbers(place: Place, plan: Plan, asked: Asked, path: str, size: int, wanted: int) -> list[Group]:
    with place.calling() as client:
        found = client.query_points_groups(
            place.name,
            field(path),
            query=asked.query,
            using=asked.using,
            prefetch=asked.prefetch,
            search_params=asked.params,
            query_filter=plan.filter,
            limit=wanted,
            group_size=size,
            score_threshold=plan.threshold,
            with_payload=plan.payload,
            with_vectors=[DENSE] if plan.search.with_vector else False,
        )
    return list(_groups(plan, [(group.id, group.hits) for group in found.groups]))


def _by_booleans(place: Place, plan: Plan, position: int, path: str, size: int) -> list[Group]:
    requests = []
    for value in (False, True):
        narrow = Filter(must=(*([plan.search.filter] if plan.search.filter else []), MatchAny(path, (value,))))
        inside = replace(plan, filter=of_search(narrow, plan.search.exclude))
        asked = inside.asked(position, plan.search.mode)
        if asked is not None:
            requests.append(request(inside, asked, limit=size, threshold=plan.threshold))
    with place.calling() as client:
        found = client.query_batch_points(place.name, requests)
    return list(_groups(plan, [(value, each.points) for value, each in zip((False, True), found, strict=True)]))


def _groups(plan: Plan, found: list[tuple[str | int | bool, list[models.ScoredPoint]]]) -> Iterator[Group]:
    for value, points in found:
        hits = above(plan, [hit_of(point) for point in points])
        if hits:
            yield Group(value, tuple(hits))
