"""Work ahead: the next item of an iterator is made on a thread while the last one is used."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def one_ahead(items: Iterator[Item]) -> Generator[Item]:
    """The same items. Around one another, such iterators are a line of stages with a thread each.

    What `items` raises comes out where its item would have; whoever stops early waits for the item that is being made.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        ahead = thread.submit(next, items, None)
        while (item := ahead.result()) is not None:
            ahead = thread.submit(next, items, None)
            yield item
