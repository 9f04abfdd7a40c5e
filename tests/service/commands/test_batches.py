from collections.abc import Iterator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.commands.batches import Batch, Draft, draft_of, gathered, write_body
from service.importing.records import Rejection


def drafts(ids: list[int | str]) -> Iterator[tuple[int, Draft | Rejection]]:
    for place, point_id in enumerate(ids, start=1):
        yield place, draft_of(place, {"id": point_id, "text": "t" * 20})


def ids_of(batches: list[Batch[int]]) -> list[list[int | str]]:
    return [[draft.id for draft in batch.drafts] for batch in batches]


def test_a_batch_has_at_most_so_many_points() -> None:
    batches = list(gathered(drafts([1, 2, 3, 4, 5]), most_points=2, most_bytes=10_000))
    assert ids_of(batches) == [[1, 2], [3, 4], [5]]
    assert [batch.mark for batch in batches] == [2, 4, 5]


def test_an_id_ends_the_batch_that_has_it() -> None:
    assert ids_of(list(gathered(drafts([1, 2, 1, "1", 2, 2]), most_points=10, most_bytes=10_000))) == [
        [1, 2],
        [1, "1", 2],
        [2],
    ]


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 9), st.integers(100, 400))
def test_no_body_is_over_the_limit_and_nothing_is_lost(ids: list[int | str], most: int, most_bytes: int) -> None:
    batches = list(gathered(drafts(ids), most_points=most, most_bytes=most_bytes))
    assert [point_id for batch in ids_of(batches) for point_id in batch] == ids
    for batch in batches:
        assert 0 < len(batch.drafts) <= most
        assert len(batch.ids) == len(batch.drafts)
        body = write_body(batch.drafts, "replace")
        assert len(body) <= most_bytes
        assert [point["id"] for point in orjson.loads(body)["points"]] == [draft.id for draft in batch.drafts]


def test_a_point_over_the_limit_is_alone() -> None:
    assert ids_of(list(gathered(drafts([1, 2, 3]), most_points=10, most_bytes=10))) == [[1], [2], [3]]


def test_rejections_count_and_keep_their_place() -> None:
    items: list[tuple[int, Draft | Rejection]] = [(n, Rejection(n, "bad")) for n in range(1, 6)]
    batches = list(gathered(items, most_points=2, most_bytes=1000))
    assert [[line for line, _ in batch.rejections] for batch in batches] == [[1, 2], [3, 4], [5]]
    assert [batch.mark for batch in batches] == [2, 4, 5]


@pytest.mark.parametrize("point", [{"id": 1, "text": None, "vector": [1.0], "metadata": None}])
def test_what_is_none_is_left_out(point: dict[str, object]) -> None:
    assert orjson.loads(draft_of(1, point).body) == {"id": 1, "vector": [1.0]}
