"""Files that data stands in: opened plain or gzip, read line by line, refused with file and line."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from training.errors import DataError

MOST_LINE_BYTES = 64 * 1024 * 1024  # no caption, sentence or row is near it

_BOM = "\ufeff"


def form(path: Path) -> str:
    """The ending that tells how a file is laid out, in lower case and without `.gz`: `.csv` of `A.CSV.gz`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, from 1, without the line end; plain or gzip.

    Raises:
        DataError: the file is missing, cannot be read, or a line is not UTF-8 text.
    """
    return ((number, line.rstrip("\r\n")) for number, line in whole_lines(path))


def whole_lines(path: Path) -> Iterator[tuple[int, str]]:
    """As `lines`, with the line end, which may stand inside a quoted field of a CSV.

    Raises:
        DataError: as `lines`.
    """
    with opened(path) as file:
        for number, raw in enumerate(iter(lambda: file.readline(MOST_LINE_BYTES + 1), b""), start=1):
            if len(raw) > MOST_LINE_BYTES:
                raise DataError(f"{path}, line {number}: over {MOST_LINE_BYTES} bytes. Is this the right file?")
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"{path}, line {number}: not UTF-8. Convert the file first.") from error
            if "\0" in line:
                raise DataError(f"{path}, line {number}: a NUL byte. The file is damaged or not UTF-8; fetch it again.")
            yield number, line.removeprefix(_BOM) if number == 1 else line


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked where its name ends in `.gz`.

    Raises:
        DataError: it is missing, cannot be read, or its gzip is damaged; also while it is read.
    """
    try:
        with cast(BinaryIO, gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file. Is MCSE_DATA the folder of your data?") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}). Make it readable, or fetch it again.") from error
