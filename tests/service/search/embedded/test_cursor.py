"""Cursors: only the collection that gave one out goes on from it."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidInput
from service.search.embedded.collection import StoredCollection
from service.search.embedded.collections import Collections
from service.search.embedded.cursor import decode, encode
from service.search.points import Point

STORE, OTHER = "5f0c", "5f0d"


@given(st.integers(0, 2**32), st.integers(-(2**63), 2**63 - 1))
def test_a_cursor_is_a_word_that_says_the_row(number: int, row: int) -> None:
    cursor = encode(STORE, number, row)
    assert decode(cursor, STORE, number) == row
    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(("owner", "number"), [(STORE, 4), (OTHER, 3)])
def test_a_cursor_of_another_collection_or_store_is_refused(owner: str, number: int) -> None:
    with pytest.raises(InvalidInput, match="of another collection; start without one"):
        decode(encode(STORE, 3, 77), owner, number)


def test_a_cursor_with_another_row_is_refused() -> None:
    raw = bytearray(base64.urlsafe_b64decode(encode(STORE, 3, 77)))
    raw[8] += 1
    with pytest.raises(InvalidInput, match="another collection"):
        decode(base64.urlsafe_b64encode(raw).decode(), STORE, 3)


@pytest.mark.parametrize("cursor", ["", "a", "ab", "é", "!" * 32, "a" * 31, "a" * 33, "a" * 1_000, "\0", "\ud800"])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput, match=r"The cursor is (not one of this service|of another collection)"):
        decode(cursor, STORE, 3)


def test_a_scroll_goes_on_in_its_own_collection_only(cats: StoredCollection, collections: Collections) -> None:
    dogs = collections.create("dogs", space="sentence")
    for animals in (cats, dogs):
        animals.upsert([Point(n, np.ones(8, np.float32)) for n in range(3)])
    first = cats.scroll(limit=2)
    with pytest.raises(InvalidInput, match="another collection"):
        dogs.scroll(limit=2, cursor=first.next_cursor)
    last = cats.scroll(limit=2, cursor=first.next_cursor)
    assert ([point.id for point in last.points], last.next_cursor) == ([2], None)
