"""Keep a service busy: while one write is answered the next one is on its way."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from service.commands.batches import Batch
from service.commands.writer import Outcome, Writer

WRITES_AT_ONCE = 2  # the service embeds one while it stores the other

Mark = TypeVar("Mark")


def write_all(
    batches: Iterable[Batch[Mark]], writers: Sequence[Writer], acknowledged: Callable[[Batch[Mark], Outcome], None]
) -> None:
    """Write the batches, as many at one time as there are writers; `acknowledged` is told of each, in their order.

    Two batches with one id are never on their way together, so that the later one wins. Raises what a writer raises:
    then the batches that nobody was told of may be written or not.
    """
    lanes = [ThreadPoolExecutor(1, thread_name_prefix="write") for _ in writers]
    sent: deque[tuple[Batch[Mark], Future[Outcome]]] = deque()

    def wait_for_oldest() -> None:
        batch, outcome = sent[0]
        acknowledged(batch, outcome.result())
        sent.popleft()

    try:
        for number, batch in enumerate(batches):
            while len(sent) == len(writers) or any(batch.ids & other.ids for other, _ in sent):
                wait_for_oldest()
            lane = number % len(writers)
            sent.append((batch, lanes[lane].submit(writers[lane].write, batch.drafts)))
        while sent:
            wait_for_oldest()
    finally:
        if sent:
            for writer in writers:
                writer.client.stop()
        for executor in lanes:
            executor.shutdown(cancel_futures=True)
