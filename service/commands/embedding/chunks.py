"""The records of files, in chunks of bounded size; each knows where the reader was after it."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from service.commands.embedding.job import Done, Job
from service.importing.files import Items, format_of, opened, size_of
from service.importing.records import Record, Rejection

_CHARACTERS = 4_194_304  # of a chunk, so that long texts do not fill the memory


@dataclass(slots=True)
class Chunk:
    """Some records of one file, and what has become of them."""

    file: int
    """Its number"""
    items: int
    """Records and rejections of the file up to the end of the chunk"""
    line: int
    """The last one"""
    position: int
    """Bytes of all files up to there"""
    records: list[Record] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


def chunks_of(job: Job, done: Done, *, last: int | None = None) -> Generator[Chunk]:
    """What is not done, up to the file of the number `last`.

    Raises SourceError, and InvalidInput for the header of a CSV.
    """
    before = 0
    for number, name in enumerate(job.files[: None if last is None else last + 1]):
        if number >= done.file:
            going_on = number == done.file
            with opened(name, job.format, job.options, skip=done.items if going_on else 0) as source:
                start = Chunk(number, done.items, done.line, before) if going_on else Chunk(number, 0, 0, before)
                yield from _cut(source, start, job, lines=(job.format or format_of(name)) == "text")
        before += size_of(name) or 0


def _cut(source: Items, start: Chunk, job: Job, *, lines: bool) -> Iterator[Chunk]:
    """`lines` says that every line is a record, so that an empty one is missed: a matrix has a row a line."""
    chunk = Chunk(start.file, start.items, start.line, start.position)
    characters = 0
    for item in source:
        if lines:
            chunk.rejections += [Rejection(line, "The line is empty.") for line in range(chunk.line + 1, item.line)]
        if isinstance(item, Record):
            chunk.records.append(item)
            characters += len(item.text or "")
        else:
            chunk.rejections.append(item)
        chunk.items, chunk.line, chunk.position = chunk.items + 1, item.line, start.position + source.position
        if len(chunk.records) + len(chunk.rejections) >= job.rows or characters >= _CHARACTERS:
            yield chunk
            chunk, characters = Chunk(chunk.file, chunk.items, chunk.line, chunk.position), 0
    if chunk.records or chunk.rejections:
        yield chunk
