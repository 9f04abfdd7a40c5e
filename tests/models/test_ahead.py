import threading
from collections.abc import Iterator

import pytest

from models.ahead import one_ahead


def test_items_come_in_their_order() -> None:
    assert list(one_ahead(iter([3, 1, 2]))) == [3, 1, 2]
    assert list(one_ahead(iter([]))) == []


def test_the_next_item_is_made_while_one_is_used() -> None:
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    for number in one_ahead(items()):
        if number + 1 < len(made):
            assert made[number + 1].wait(10)


def test_it_is_one_ahead_and_no_more() -> None:
    count = 0

    def items() -> Iterator[int]:
        nonlocal count
        while True:
            count += 1
            yield count

    ahead = one_ahead(items())
    for _ in range(5):
        next(ahead)
    ahead.close()
    assert count <= 6


def test_what_goes_wrong_comes_out_where_its_item_would_have() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    ahead = one_ahead(one_ahead(items()))
    assert next(ahead) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(ahead)
