"""Whether files have changed, asked so seldom that every request may ask."""

import time
from collections.abc import Iterable
from pathlib import Path

LOOK_EVERY_S = 1.0

_Version = tuple[tuple[int, int, int, int] | None, ...]


class Watched:
    """Some files, each followed to where a link leads. For one thread."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(paths)
        self._version = self._look()

    def changed(self) -> bool:
        """Whether one has changed, come or gone since this last said so; looked at once in LOOK_EVERY_S."""
        if time.monotonic() - self._looked < LOOK_EVERY_S:
            return False
        before, self._version = self._version, self._look()
        return self._version != before

    def _look(self) -> _Version:
        self._looked = time.monotonic()
        return tuple(_version(path) for path in self._paths)


def _version(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
