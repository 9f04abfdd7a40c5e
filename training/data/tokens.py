"""Token ids of a corpus in two memory-mapped arrays: tokenized once, kept in a cache, never held in memory."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import TextError
from models.files import replaced_directory
from models.text import TextTokenizer
from training.errors import DataError

_CHUNK = 8_192  # sentences tokenized at a time: enough to keep every core busy, a few megabytes of memory
_FORMAT = 1  # of the files below; part of the cache key

Examples = Iterable[tuple[int, tuple[str, ...]]]
"""Line or row numbers, each with its sentences: one, or in supervised data two or three."""


@dataclass(frozen=True, slots=True)
class TokenStore:
    """Sentences as token ids, special tokens included, cut at the training length."""

    ids: NDArray[np.integer]
    """(tokens,) all sentences end to end"""
    offsets: NDArray[np.int64]
    """(sentences + 1,) where each begins; the last entry is where the last ends"""
    columns: int = 1
    """Sentences of an example: they stand next to each other"""

    def __len__(self) -> int:
        """Examples, not sentences."""
        return (len(self.offsets) - 1) // self.columns

    def column(self, rows: NDArray[np.int64], column: int) -> list[NDArray[np.integer]]:
        """Token ids of one sentence of each of these examples."""
        starts = rows * self.columns + column
        return [self.ids[self.offsets[start] : self.offsets[start + 1]] for start in starts]


def tokenized(texts: Sequence[str], tokenizer: TextTokenizer, *, name: str) -> TokenStore:
    """Tokenize what is in memory already, such as captions.

    Raises:
        DataError: a text has no content; `name` and its number are told.
    """
    numbered = ((number, (text,)) for number, text in enumerate(texts, start=1))
    ids: list[NDArray[np.integer]] = []
    lengths: list[NDArray[np.int64]] = []
    for chunk_ids, chunk_lengths in _encode(numbered, tokenizer, name):
        ids.append(chunk_ids)
        lengths.append(chunk_lengths)
    return TokenStore(np.concatenate(ids), _offsets(lengths))


def cached_tokens(
    read: Callable[[], Examples],
    tokenizer: TextTokenizer,
    *,
    source: Path,
    options: str,
    cache: Path,
    on_progress: Callable[[int], None] = lambda _sentences: None,
) -> TokenStore:
    """Tokens of a file, from the cache where this file was tokenized in this way before.

    The cache key holds the file's size and time of change, the whole tokenizer, the length and `options`, so that
    a changed file or tokenizer is never mistaken for the old one. Files of an abandoned key can be deleted at any time.

    Args:
        read: opens the examples; called only where the cache has nothing.
        tokenizer: cuts at the training length.
        source: the file.
        options: what else decides the examples, such as the column.
        cache: folder of all token files.
        on_progress: is told how many sentences more are done.

    Raises:
        DataError: the file cannot be used; line and cure are told.
    """
    directory = cache / "tokens" / _key(source, tokenizer, options)
    if not directory.is_dir():
        try:
            with replaced_directory(directory) as target:
                _write(read(), tokenizer, str(source), target, on_progress)
        except OSError as error:
            raise DataError(f"{directory}: tokens cannot be written ({error.strerror}). Set MCSE_CACHE.") from error
    facts = json.loads((directory / "facts.json").read_bytes())
    ids: NDArray[np.integer] = np.memmap(directory / "ids.bin", dtype=facts["dtype"], mode="r")
    return TokenStore(ids, np.load(directory / "offsets.npy", mmap_mode="r"), facts["columns"])


def _key(source: Path, tokenizer: TextTokenizer, options: str) -> str:
    try:
        stat = source.stat()
    except OSError as error:
        raise DataError(
            f"{source}: cannot be read ({error.strerror}). Is MCSE_DATA the folder of your data?"
        ) from error
    facts = [_FORMAT, str(source.resolve()), stat.st_size, stat.st_mtime_ns, options, tokenizer.max_tokens]
    return hashlib.sha256(json.dumps(facts).encode() + tokenizer.to_json().encode()).hexdigest()[:32]


def _write(
    examples: Examples, tokenizer: TextTokenizer, name: str, target: Path, on_progress: Callable[[int], None]
) -> None:
    lengths: list[NDArray[np.int64]] = []
    columns = 1

    def watched() -> Iterator[tuple[int, tuple[str, ...]]]:
        nonlocal columns
        for number, texts in examples:
            columns = len(texts)
            yield number, texts

    with (target / "ids.bin").open("wb") as file:
        for chunk_ids, chunk_lengths in _encode(watched(), tokenizer, name):
            file.write(chunk_ids.tobytes())
            lengths.append(chunk_lengths)
            on_progress(len(chunk_lengths))
    np.save(target / "offsets.npy", _offsets(lengths))
    (target / "facts.json").write_text(json.dumps({"dtype": str(_dtype(tokenizer)), "columns": columns}))


def _encode(
    examples: Examples, tokenizer: TextTokenizer, name: str
) -> Iterator[tuple[NDArray[np.integer], NDArray[np.int64]]]:
    """Ids end to end and the length of each sentence, chunk by chunk."""
    iterator = iter(examples)
    dtype = _dtype(tokenizer)
    while chunk := list(islice(iterator, _CHUNK)):
        texts = [text for _, example in chunk for text in example]
        try:
            encoded = [text.ids for text in tokenizer.encode(texts)]
        except TextError as error:
            number = chunk[error.index // len(chunk[0][1])][0]
            raise DataError(f"{name}, line {number}: {error}. Remove it.") from error
        yield np.concatenate([np.asarray(ids, dtype) for ids in encoded]), np.array([len(ids) for ids in encoded])


def _dtype(tokenizer: TextTokenizer) -> np.dtype[np.integer]:
    return np.dtype(np.uint16 if tokenizer.vocabulary_size <= np.iinfo(np.uint16).max else np.int32)


def _offsets(lengths: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(lengths))])
