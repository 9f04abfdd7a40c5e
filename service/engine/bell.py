"""Wake one thread from another, as cheaply as Python can."""

import threading


class Bell:
    """Rung by any thread, heard by one. A ring that nobody waits for is heard at the next wait; two rings are one.

    A held lock that `ring` releases: a third of the time of a condition, which makes a lock for each wait.
    """

    def __init__(self) -> None:
        self._silent = threading.Lock()
        self._silent.acquire()

    def ring(self) -> None:
        """Let `wait` return."""
        try:  # noqa: SIM105 (it is called for every request, and suppressing costs more than all the rest)
            self._silent.release()
        except RuntimeError:  # it was released already, by a ring that has not been heard
            pass

    def wait(self) -> None:
        """Block until it rings."""
        self._silent.acquire()
