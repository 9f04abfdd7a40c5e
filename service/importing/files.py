"""Open a file of records: JSONL, CSV, TSV, text, each also as gzip, Parquet, or standard input."""

import gzip
import hashlib
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, cast

from service.importing.errors import SourceError
from service.importing.options import DEFAULT, Format, ReadOptions
from service.importing.records import Record, RecordReader, Rejection

FileFormat: TypeAlias = Literal["jsonl", "csv", "tsv", "text", "parquet"]

STDIN = "-"
CHUNK = 256 * 1024
_ENDS = 64 * 1024  # bytes at the start and at the end of a file that its identity is made from
_GZIP = b"\x1f\x8b"
_AS_STREAM: dict[FileFormat, Format] = {"jsonl": "jsonl", "csv": "csv", "tsv": "csv", "text": "text"}
_FORMATS: dict[str, FileFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "text",
    ".text": "text",
    ".parquet": "parquet",
    ".pq": "parquet",
}


class Items(Protocol):
    """The records of an open file."""

    size: int | None
    """Bytes of the file; None where nobody knows."""

    @property
    def position(self) -> int:
        """Bytes read so far, to compare with `size`."""

    def __iter__(self) -> Iterator[Record | Rejection]: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Tells whether a file is the one that was read before."""

    size: int
    modified_ns: int
    ends: str
    """SHA-256 of its first and last bytes."""


def format_of(name: str) -> FileFormat:
    """The format that a file's name tells; raises SourceError."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    found = _FORMATS.get(suffixes[-1]) if suffixes else None
    if found is None:
        known = ", ".join(_FORMATS)
        raise SourceError(f"{name}: its name does not tell its format. Known are {known}; or give --format.")
    return found


def size_of(name: str) -> int | None:
    """Bytes of a file; None for standard input, a pipe and whatever else has no size. Raises SourceError."""
    if name == STDIN:
        return None
    with told_of(name):
        facts = Path(name).stat()
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None


def identity_of(name: str) -> Identity:
    """Size, time of change and a digest of both ends of a file that has a size; raises SourceError."""
    with told_of(name), Path(name).open("rb") as file:
        facts = os.fstat(file.fileno())
        digest = hashlib.sha256(file.read(_ENDS))
        file.seek(max(0, facts.st_size - _ENDS))
        digest.update(file.read(_ENDS))
    return Identity(facts.st_size, facts.st_mtime_ns, digest.hexdigest())


@contextmanager
def opened(
    name: str, format: FileFormat | None = None, options: ReadOptions = DEFAULT, *, skip: int = 0
) -> Iterator[Items]:
    """The records and rejections of a file, but for the first `skip`; `-` is standard input.

    Raises SourceError, also while it is read, and InvalidInput for the header of a CSV.
    """
    if format is None and name == STDIN:
        raise SourceError("Standard input has no name that tells its format. Give --format.")
    form = format or format_of(name)
    if form == "parquet":
        if name == STDIN:
            raise SourceError("Parquet cannot be read from standard input, for it begins at its end. Give a file.")
        yield _parquet(name, options, skip)
        return
    with ExitStack() as files:
        with told_of(name):
            raw = sys.stdin.buffer if name == STDIN else files.enter_context(Path(name).open("rb"))
        yield _StreamItems(name, cast(BufferedReader, raw), form, options, skip)


def _parquet(name: str, options: ReadOptions, skip: int) -> Items:
    try:
        from service.importing.parquet import ParquetItems
    except ModuleNotFoundError as error:
        raise SourceError(
            f"{name}: Parquet needs {error.name}, which is not installed. Install it: pip install '.[files]'"
        ) from error
    return ParquetItems(name, options, skip)


class _StreamItems:
    def __init__(self, name: str, raw: BufferedReader, format: FileFormat, options: ReadOptions, skip: int) -> None:
        if format == "tsv":
            options = replace(options, delimiter="\t")
        self._reader = RecordReader(_AS_STREAM[format], options, skip=skip)
        self._name = name
        self._raw = raw
        self.size = size_of(name)
        self.position = 0

    def __iter__(self) -> Iterator[Record | Rejection]:
        with told_of(self._name):
            content = _unpacked(self._raw)
            while chunk := content.read1(CHUNK):
                self.position = self._raw.tell() if self.size is not None else self.position + len(chunk)
                yield from self._reader.feed(chunk)
            yield from self._reader.close()


def _unpacked(raw: BufferedReader) -> BufferedReader | gzip.GzipFile:
    """What is packed is known by its first bytes, whatever its name."""
    return gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == _GZIP else raw


@contextmanager
def told_of(name: str) -> Iterator[None]:
    """Turn what the system says of a file into a SourceError."""
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"{name}: there is no such file.") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{name}: cannot be read ({reason}). Make it readable, or fetch it again.") from error
