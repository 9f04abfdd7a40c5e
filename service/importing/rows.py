"""Join the lines of a CSV to rows and cut these into cells, as RFC 4180 says: quoted cells may hold line ends."""

import re
from typing import NamedTuple

from service.importing.lines import Line

_QUOTED = re.compile(r'"((?:[^"]++|"")*+)"')


class Row(NamedTuple):
    """A row as it stands in the file."""

    line: int
    """The line it begins in."""
    content: bytes | None
    reason: str = ""
    """Why there is no content."""


class RowJoiner:
    """Puts the lines of a row together, and never holds more than a row of the largest allowed length."""

    def __init__(self, delimiter: str, most_bytes: int) -> None:
        self._delimiter = delimiter.encode()
        self._most_bytes = most_bytes
        self._held: list[bytes] = []
        self._start = 0
        self._size = 0  # bytes of the lines, with a line feed each
        self._inside = False

    def take(self, line: Line) -> Row | None:
        """The row that ends with this line; None while a quoted cell goes on."""
        if not self._size:
            self._start = line.number
        if line.content is None:  # nobody saw its quotes: the row is taken to end with it
            self._size = self._most_bytes + 2
            return self._end()
        self._size += len(line.content) + 1
        if self._is_too_long():
            self._held.clear()
        else:
            self._held.append(line.content)
        self._inside = _ends_inside(line.content, self._inside, self._delimiter)
        return None if self._inside else self._end()

    def close(self) -> Row | None:
        """What a quoted cell without an end has made of the rest of the file."""
        if not self._size:
            return None
        return Row(self._start, None, "A quoted cell begins here that has no closing quote up to the end of the file.")

    def _is_too_long(self) -> bool:
        return self._size > self._most_bytes + 1

    def _end(self) -> Row:
        row = Row(self._start, b"\n".join(self._held))
        if self._is_too_long():
            row = Row(self._start, None, f"The row is longer than {self._most_bytes} bytes, which is the limit.")
        self._held.clear()
        self._size = 0
        self._inside = False
        return row


def cells_of(text: str, delimiter: str) -> list[str]:
    """The cells of a row; raises ValueError with the reason."""
    if '"' not in text:
        return text.split(delimiter)
    cells = []
    position = 0
    while True:
        quoted = _QUOTED.match(text, position)
        end = text.find(delimiter, position) if quoted is None else quoted.end()
        end = len(text) if end < 0 else end
        cells.append(text[position:end] if quoted is None else quoted[1].replace('""', '"'))
        if end == len(text):
            return cells
        if text[end] != delimiter:
            raise ValueError(f"Cell {len(cells)} goes on after its closing quote. Write a quote inside a cell twice.")
        position = end + 1


def _ends_inside(line: bytes, inside: bool, delimiter: bytes) -> bool:
    """Whether a quoted cell goes on after this line; `inside` says so of the line before."""
    if b'"' not in line:
        return inside
    position = 0
    while True:
        if not inside and line.startswith(b'"', position):
            inside = True
            position += 1
        if inside:
            position = _after_closing_quote(line, position)
            if position < 0:
                return True
            inside = False
        position = line.find(delimiter, position) + 1
        if not position:
            return False


def _after_closing_quote(line: bytes, position: int) -> int:
    while (quote := line.find(b'"', position)) >= 0:
        if not line.startswith(b'"', quote + 1):
            return quote + 1
        position = quote + 2
    return -1
