"""Points to rows and back, and the digest."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidInput, Unavailable
from service.search.filters.entries import MOST_LEAVES, entries
from service.search.points import Point, PointId
from service.search.store.rows import (
    INT64,
    Row,
    as_new,
    batched,
    digest_of,
    digest_of_row,
    intact,
    pack,
    stored_entries,
    unpack,
    with_metadata,
)

VECTOR = np.arange(4, dtype=np.float32)
TEXTS = st.text(st.characters(codec="utf-8"))
IDS = st.integers(int(INT64.min), int(INT64.max)) | TEXTS
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


PARTS = st.none() | st.binary(max_size=40)


def as_read(point: Point) -> Row:
    """What the store would read after writing `point`."""
    new = pack([point], point.vector[None], "model")[0]
    id_type = "text" if isinstance(new.id, str) else "integer"
    text, metadata = (None if part is None else part.encode() for part in (new.text, new.metadata))
    return 1, 1, id_type, str(new.id).encode(), text, new.vector, metadata, new.digest


def is_intact(row: Row) -> bool:
    try:
        return list(intact([row], b"model")) == [row]
    except Unavailable:
        return False


@given(IDS, st.none() | TEXTS, st.none() | st.dictionaries(TEXTS, JSON, max_size=3))
def test_a_point_comes_back_as_it_went_in(point_id: PointId, text: str | None, metadata: dict[str, object]) -> None:
    row = as_read(Point(point_id, VECTOR, text, metadata))  # type: ignore[arg-type]
    point = unpack(row)
    assert is_intact(row)
    assert (point.id, type(point.id), point.text, point.metadata) == (point_id, type(point_id), text, metadata)
    assert point.vector.tolist() == VECTOR.tolist()
    assert as_new(row) == pack([Point(point_id, VECTOR, text, metadata)], VECTOR[None], "model")[0]  # type: ignore[arg-type]


def test_every_field_is_under_the_digest() -> None:
    row = as_read(Point("1", VECTOR, "text", {"a": 1}))
    changes: dict[int, list[Any]] = {
        2: ["integer"],
        3: [b"2", None],
        4: [b"Text", None],
        5: [b"\0" * 16, None],
        6: [None, b"{}"],
        7: [b"", None, "text"],
    }
    for place, others in changes.items():
        for other in others:
            changed: Any = (*row[:place], other, *row[place + 1 :])
            assert not is_intact(changed), (place, other)
    assert is_intact(row)
    with pytest.raises(Unavailable, match="row 1 is damaged"):
        list(intact([row], b"other model"))


@given(st.binary(max_size=40), st.binary(max_size=8), st.binary(max_size=8), PARTS, st.binary(max_size=40), PARTS)
def test_the_digest_of_a_row_is_that_of_its_parts(
    fingerprint: bytes, kind: bytes, point_id: bytes, text: bytes | None, vector: bytes, metadata: bytes | None
) -> None:
    parts = (fingerprint, kind, point_id, text, vector, metadata)
    assert digest_of_row(*parts) == digest_of(*parts)


def test_parts_of_a_digest_cannot_flow_into_each_other() -> None:
    lists: list[tuple[bytes | None, ...]] = [(b"ab", b"c"), (b"a", b"bc"), (b"abc",), (b"abc", b""), (b"abc", None)]
    assert len({digest_of(*parts) for parts in lists}) == len(lists)


@pytest.mark.parametrize("wrong", [True, 2**63, -(2**63) - 1, 1.5, None], ids=str)
def test_an_id_that_cannot_be_kept_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidInput, match=r"points\[1\]: the id is not"):
        pack([Point("a", VECTOR), Point(wrong, VECTOR)], np.stack([VECTOR] * 2), "model")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("point", "what"),
    [
        (Point("\ud800", VECTOR), "the id has half a surrogate"),
        (Point("a", VECTOR, "\udfff"), "the text has half a surrogate"),
        (Point("a", VECTOR, None, {"a": "\ud800"}), "the metadata cannot be written as JSON"),
        (Point("a", VECTOR, None, {"a": {1, 2}}), "the metadata cannot be written as JSON"),  # type: ignore[dict-item]
    ],
    ids=["id", "text", "surrogate in metadata", "set in metadata"],
)
def test_what_no_file_can_hold_is_refused_with_its_position(point: Point, what: str) -> None:
    with pytest.raises(InvalidInput, match=rf"points\[0\]: {what}"):
        pack([point], VECTOR[None], "model")


def test_a_row_brings_the_values_of_its_metadata() -> None:
    metadata = {"a": [1, "x"], "when": "2024-05-06T07:08:09Z"}
    packed = pack([Point("a", VECTOR, None, metadata), Point("b", VECTOR)], np.stack([VECTOR] * 2), "model")  # type: ignore[arg-type]
    assert packed[0].entries == entries(metadata)  # type: ignore[arg-type]
    assert packed[1].entries == ()
    assert stored_entries((packed[0].metadata or "").encode()) == packed[0].entries


def test_too_many_values_are_refused_when_they_are_new_and_taken_when_they_are_old() -> None:
    many = {"a": list(range(MOST_LEAVES + 1))}
    with pytest.raises(InvalidInput, match=r"points\[0\]: the metadata has more than 256 values"):
        pack([Point("a", VECTOR, None, many)], VECTOR[None], "model")  # type: ignore[arg-type]
    assert len(stored_entries(str(many).replace("'", '"').encode())) == MOST_LEAVES + 1


def test_other_metadata_leaves_the_rest_of_a_row() -> None:
    before = Point(7, VECTOR, "text", {"a": 1})
    changed = with_metadata(as_read(before), {"b": "c"}, b"model")
    assert changed == pack([Point(7, VECTOR, "text", {"b": "c"})], VECTOR[None], "model")[0]
    with pytest.raises(InvalidInput, match="The new metadata: the metadata cannot be written as JSON"):
        with_metadata(as_read(before), {"a": {1}}, b"model")  # type: ignore[dict-item]


def test_batches_have_every_item_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.search.store.rows.CHUNK", 3)
    assert list(batched(range(7))) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batched([])) == []
