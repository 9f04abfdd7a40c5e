"""Many who read, or one who writes: FAISS crashes or answers wrongly when a search meets a change."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Access:
    """A lock that readers share. A writer who waits goes before readers who come later."""

    def __init__(self) -> None:
        self._state = threading.Condition()
        self._readers = 0
        self._writers = 0  # waiting, or at work
        self._writing = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Beside other readers."""
        with self._state:
            self._state.wait_for(lambda: not self._writers)
            self._readers += 1
        try:
            yield
        finally:
            with self._state:
                self._readers -= 1
                self._state.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Alone."""
        with self._state:
            self._writers += 1
            self._state.wait_for(lambda: not self._readers and not self._writing)
            self._writing = True
        try:
            yield
        finally:
            with self._state:
                self._writers -= 1
                self._writing = False
                self._state.notify_all()
