"""Points to rows and back, and the digest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidInput
from service.search.points import Point, PointId
from service.search.rows import INT64, Row, digest_of, is_intact, pack, unpack

VECTOR = np.arange(4, dtype=np.float32)
TEXTS = st.text(st.characters(codec="utf-8"))
IDS = st.integers(int(INT64.min), int(INT64.max)) | TEXTS
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def as_read(point: Point, fingerprint: bytes = b"model") -> Row:
    """What the store would read after writing `point`."""
    new = pack([point], point.vector[None], "model")[0]
    id_type = "text" if isinstance(new.id, str) else "integer"
    text, metadata = (None if part is None else part.encode() for part in (new.text, new.metadata))
    return Row(1, 1, id_type, str(new.id).encode(), text, new.vector, metadata, new.digest, fingerprint)


@given(IDS, st.none() | TEXTS, st.none() | st.dictionaries(TEXTS, JSON, max_size=3))
def test_a_point_comes_back_as_it_went_in(point_id: PointId, text: str | None, metadata: dict[str, object]) -> None:
    row = as_read(Point(point_id, VECTOR, text, metadata))  # type: ignore[arg-type]
    point = unpack(row)
    assert is_intact(row)
    assert (point.id, type(point.id), point.text, point.metadata) == (point_id, type(point_id), text, metadata)
    assert point.vector.tolist() == VECTOR.tolist()


def test_every_field_is_under_the_digest() -> None:
    row = as_read(Point("1", VECTOR, "text", {"a": 1}))
    for changed in (
        row._replace(id_type="integer"),
        row._replace(id=b"2"),
        row._replace(text=b"Text"),
        row._replace(text=None),
        row._replace(vector=b"\0" * 16),
        row._replace(metadata=None),
        row._replace(fingerprint=b"other"),
        row._replace(fingerprint=None),
    ):
        assert not is_intact(changed), changed


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
