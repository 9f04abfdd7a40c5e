"""Cut a stream of bytes into lines, without ever holding more than one line of the largest allowed length."""

from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line without its line feed; a carriage return before it is still there."""

    number: int
    """From 1."""
    content: bytes | None
    """None for a line over the limit."""


class LineCutter:
    """Give it pieces of any size; it gives the lines that are complete. A byte order mark at the start is dropped."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._number = 0
        self._held: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Line]:
        """The lines that end in this piece."""
        *ending, rest = chunk.split(b"\n")
        lines = []
        for piece in ending:
            self._hold(piece)
            lines.append(self._cut())
        self._hold(rest)
        return lines

    def close(self) -> list[Line]:
        """The last line, where no line feed ends it."""
        return [self._cut()] if self._size else []

    def _hold(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._most_bytes:
            self._held.clear()
        elif piece:
            self._held.append(piece)

    def _cut(self) -> Line:
        content = b"".join(self._held) if self._size <= self._most_bytes else None
        self._held.clear()
        self._size = 0
        self._number += 1
        if self._number == 1 and content is not None:
            content = content.removeprefix(_BOM)
        return Line(self._number, content)
