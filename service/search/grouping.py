"""Hits put together by a value of a metadata field."""

from collections.abc import Callable, Iterable, Sequence

from service.search.filters.evaluate import values_at
from service.search.points import Group, Hit

FETCHED = 4  # times as many hits as the groups could hold are looked at to begin with
MOST_FETCHED = 4_096


def grouped(hits: Iterable[Hit], by: str, *, groups: int, size: int) -> list[Group]:
    """At most `groups` groups in the order of their best hits, each with at most `size`; a hit of several values is in
    the group of each, one of none in no group."""
    found: dict[tuple[type, str | int | bool], list[Hit]] = {}
    for hit in hits:
        for value in values_at(hit.metadata or {}, by):
            if isinstance(value, str | int):
                members = found.setdefault((type(value), value), [])
                if len(members) < size and (not members or members[-1] is not hit):  # it may have a value twice
                    members.append(hit)
    return [Group(value, tuple(members)) for (_, value), members in list(found.items())[:groups]]


def search_until_full(
    search: Callable[[int], Sequence[Sequence[Hit]]], by: str, *, groups: int, size: int
) -> list[list[Group]]:
    """Search for more and more hits, until every query has its groups or there are no more."""
    limit = min(MOST_FETCHED, FETCHED * groups * size)
    while True:
        hits = search(limit)
        answers = [grouped(one, by, groups=groups, size=size) for one in hits]
        full = all(len(found) >= groups for found in answers)
        if full or limit >= MOST_FETCHED or all(len(one) < limit for one in hits):
            return answers
        limit = min(MOST_FETCHED, 4 * limit)
