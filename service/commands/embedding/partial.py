"""Output that is not complete yet: rows in files that grow, in a directory beside the name they will have.

`vectors` is the matrix, row after row behind room for a header. `listed` says whose rows they are, a line each, where
the output tells that. What stands in them behind the last save of the run's state is cut off when it goes on.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson
from numpy.typing import NDArray

from service.commands.errors import CommandError


class Listed(NamedTuple):
    """Whose row a vector is."""

    id: str | int
    text: str | None
    metadata: dict[str, Any] | None
    dropped: int
    """Tokens cut off the text"""


class Partial:
    """Belongs to one run at a time, as long as it is open."""

    def __init__(self, directory: Path, vectors: BinaryIO, listed: BinaryIO, *, header: int, row: int) -> None:
        self._directory = directory
        self.vectors_path = directory / "vectors"
        self.listed_path = directory / "listed"
        self._vectors = vectors
        self._listed = listed
        self._header = header
        self._row = row

    def cut(self, rows: int, listed_bytes: int) -> None:
        """Keep so much, which must be there; raises CommandError."""
        for file, size in ((self._vectors, self._header + rows * self._row), (self._listed, listed_bytes)):
            if file.seek(0, os.SEEK_END) < size and rows:
                raise CommandError(
                    f"{file.name}: it is shorter than the run has left it. Start anew, without --resume."
                )
            file.truncate(size)
            file.seek(size)

    def append(self, vectors: NDArray[Any], listed: Sequence[Listed]) -> int:
        """Add rows; returns how many bytes `listed` has now."""
        with _told_of(self._directory):
            self._vectors.write(vectors.data)
            self._listed.writelines(orjson.dumps(tuple(each), option=orjson.OPT_APPEND_NEWLINE) for each in listed)
            return self._listed.tell()

    def sync(self) -> None:
        """What is added is on disk."""
        with _told_of(self._directory):
            for file in (self._vectors, self._listed):
                file.flush()
                os.fsync(file.fileno())

    def write_header(self, header: bytes) -> None:
        """Fill the room before the rows."""
        self._vectors.seek(0)
        self._vectors.write(header)
        self.sync()


@contextmanager
def opened_partial(directory: Path, *, header: int, row: int) -> Iterator[Partial]:
    """Make it or find it; raises CommandError where another run has it open.

    `header` is the bytes before the rows, and `row` those of one of them.
    """
    directory.mkdir(exist_ok=True)
    with ExitStack() as files:
        vectors, listed = (
            files.enter_context(open(os.open(directory / name, os.O_RDWR | os.O_CREAT, 0o644), "r+b"))
            for name in ("vectors", "listed")
        )
        try:
            fcntl.flock(vectors, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"{directory}: another run writes here. Wait for it, or give another --output."
            ) from None
        yield Partial(directory, vectors, listed, header=header, row=row)


@contextmanager
def _told_of(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"{directory}: cannot be written ({error.strerror}).") from error


def remove_partial(directory: Path) -> None:
    """Nothing is to be gone on from."""
    shutil.rmtree(directory, ignore_errors=True)
