"""Hits put together by a value of their metadata."""

from service.search import grouping
from service.search.grouping import grouped, search_until_full
from service.search.points import Group, Hit, Json, Metadata


def hit(number: int, metadata: Metadata | None) -> Hit:
    return Hit(number, 1 - number / 1_000, metadata=metadata)


def ids(groups: list[Group]) -> list[tuple[object, list[object]]]:
    return [(group.value, [one.id for one in group.hits]) for group in groups]


def test_groups_come_in_the_order_of_their_best_hits() -> None:
    hits = [hit(n, {"animal": name}) for n, name in enumerate(["dog", "cat", "dog", "cow", "cat", "dog"])]
    assert ids(grouped(hits, "animal", groups=2, size=2)) == [("dog", [0, 2]), ("cat", [1, 4])]


def test_a_hit_of_several_values_is_in_several_groups_and_one_of_none_in_no_group() -> None:
    hits = [hit(0, {"tags": ["a", "b"]}), hit(1, {}), hit(2, None), hit(3, {"tags": None}), hit(4, {"tags": ["b"]})]
    assert ids(grouped(hits, "tags", groups=9, size=9)) == [("a", [0]), ("b", [0, 4])]


def test_a_value_that_a_hit_has_twice_counts_once() -> None:
    assert ids(grouped([hit(0, {"tags": ["a", "a"]})], "tags", groups=9, size=9)) == [("a", [0])]


def test_one_and_true_and_the_string_one_are_three_groups() -> None:
    values: list[Json] = [1, True, "1"]
    hits = [hit(n, {"v": value}) for n, value in enumerate(values)]
    groups = grouped(hits, "v", groups=9, size=9)
    assert [(type(group.value), len(group.hits)) for group in groups] == [(int, 1), (bool, 1), (str, 1)]


def test_fractions_and_objects_make_no_group() -> None:
    assert grouped([hit(0, {"v": 0.5}), hit(1, {"v": {"w": 1}})], "v", groups=9, size=9) == []


def test_a_field_within_objects_is_found() -> None:
    hits = [hit(0, {"a": [{"b": 1}, {"b": 2}]}), hit(1, {"a": [{"b": 2}]})]
    assert ids(grouped(hits, "a[].b", groups=9, size=9)) == [(1, [0]), (2, [0, 1])]


def test_more_hits_are_searched_until_there_are_enough_groups() -> None:
    everything = [hit(n, {"v": n // 50}) for n in range(200)]
    asked: list[int] = []

    def search(limit: int) -> list[list[Hit]]:
        asked.append(limit)
        return [everything[:limit]]

    [groups] = search_until_full(search, "v", groups=3, size=2)
    assert ids(groups) == [(0, [0, 1]), (1, [50, 51]), (2, [100, 101])]
    assert asked == [24, 96, 384]


def test_one_query_without_enough_groups_lets_all_be_searched_again() -> None:
    plenty = [hit(n, {"v": n}) for n in range(100)]
    few = [hit(n, {"v": n // 10}) for n in range(100)]
    answers = search_until_full(lambda limit: [plenty[:limit], few[:limit]], "v", groups=4, size=1)
    assert [len(groups) for groups in answers] == [4, 4]


def test_the_search_ends_where_there_are_no_more_hits() -> None:
    asked: list[int] = []

    def search(limit: int) -> list[list[Hit]]:
        asked.append(limit)
        return [[hit(0, {"v": "only"})], []]

    assert [ids(groups) for groups in search_until_full(search, "v", groups=5, size=5)] == [[("only", [0])], []]
    assert asked == [100]


def test_no_search_asks_for_more_than_the_most() -> None:
    asked: list[int] = []

    def search(limit: int) -> list[list[Hit]]:
        asked.append(limit)
        return [[hit(n, {"v": "same"}) for n in range(limit)]]

    search_until_full(search, "v", groups=2, size=1)
    assert asked == [8, 32, 128, 512, 2_048, grouping.MOST_FETCHED]
