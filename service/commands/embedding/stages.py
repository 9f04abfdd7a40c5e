"""From records to vectors, a chunk at a time: each step is a stage that works on a thread of its own."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from models.errors import TextError
from models.text import Tokenized
from models.vectorizer import Vectorizer
from service.commands.embedding.chunks import Chunk
from service.commands.embedding.job import Job
from service.importing.records import Record, Rejection


@dataclass(frozen=True, slots=True)
class Ready:
    """A chunk whose texts are tokens; its records are those that can be embedded."""

    chunk: Chunk
    tokenized: list[Tokenized]


@dataclass(frozen=True, slots=True)
class Embedded:
    """A chunk with its vectors."""

    chunk: Chunk
    dropped: list[int]
    """Tokens cut off each text"""
    vectors: NDArray[Any] | None
    """(records, width); None where no record is left"""


def tokenized(chunks: Iterable[Chunk], job: Job, vectorizer: Vectorizer) -> Iterator[Ready]:
    """A record whose text cannot be embedded becomes a rejection."""
    for chunk in chunks:
        tokens = _tokens(chunk, job, vectorizer)
        both = list(zip(chunk.records, tokens, strict=True))
        chunk.rejections += [rejection for _, rejection in both if isinstance(rejection, Rejection)]
        chunk.rejections.sort()
        chunk.records = [record for record, each in both if isinstance(each, Tokenized)]
        yield Ready(chunk, [each for each in tokens if isinstance(each, Tokenized)])


def embedded(ready: Iterable[Ready], job: Job, vectorizer: Vectorizer) -> Iterator[Embedded]:
    """Raises ArithmeticError and MemoryError."""
    for each in ready:
        vectors = vectorizer.encode_tokens(each.tokenized, job.form) if each.tokenized else None
        yield Embedded(each.chunk, [tokens.dropped for tokens in each.tokenized], vectors)


def _tokens(chunk: Chunk, job: Job, vectorizer: Vectorizer) -> Sequence[Tokenized | Rejection]:
    """Of all records at once; where one of them is bad, of each for itself."""
    texts = [job.prompt + (record.text or "") for record in chunk.records]
    try:
        found: Sequence[Tokenized | Rejection] = vectorizer.tokenize(texts)
    except TextError:
        found = [_one(record, text, vectorizer) for record, text in zip(chunk.records, texts, strict=True)]
    if job.truncate:
        return found
    return [_uncut(record, each, vectorizer) for record, each in zip(chunk.records, found, strict=True)]


def _one(record: Record, text: str, vectorizer: Vectorizer) -> Tokenized | Rejection:
    try:
        return vectorizer.tokenize([text])[0]
    except TextError as error:
        return Rejection(record.line, f"It cannot be embedded: {error}.")


def _uncut(record: Record, each: Tokenized | Rejection, vectorizer: Vectorizer) -> Tokenized | Rejection:
    if isinstance(each, Rejection) or not each.dropped:
        return each
    tokens = len(each.ids) + each.dropped
    return Rejection(record.line, f"The text has {tokens} tokens; the model takes {vectorizer.max_tokens}.")
