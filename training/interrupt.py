"""Ctrl-C and SIGTERM finish the step under way instead of tearing it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event


@contextmanager
def stop_on_interrupt() -> Iterator[Event]:
    """Give an event that a first SIGINT or SIGTERM sets; a second one acts at once."""
    stop = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(_number: int, _frame: object) -> None:
        stop.set()
        _restore(before)

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        _restore(before)


def _restore(handlers: "dict[signal.Signals, signal._HANDLER]") -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
