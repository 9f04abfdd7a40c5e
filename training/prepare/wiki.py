"""`mcse prepare wiki`: text of any origin into one sentence a line, for `data.text` of a run."""

import gzip
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.files import files_below
from training.data.files import lines
from training.errors import DataError
from training.prepare.directory import Prepared, Request, prepare
from training.prepare.sentences import Cleaner

SENTENCES = "sentences.txt.gz"

_TELL_EVERY = 10_000  # lines

Progress = Callable[[int], None]
"""Told how many lines are read."""


@dataclass(frozen=True, slots=True)
class WikiOptions:
    """What is kept of a text."""

    limit: int | None = None
    """Sentences to sample, in their order; None keeps all."""
    seed: int = 0
    """Of the sample."""
    min_words: int = 5
    """Headings and fragments are shorter."""
    max_words: int = 50
    """Lists and broken markup are longer; training reads 32 tokens."""
    documents: bool = False
    """Each line is a document or a paragraph; False takes it for a sentence."""
    deduplicate: bool = False
    """Keep the first of equal sentences."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON; the seed only where something is drawn."""
        made = {name: getattr(self, name) for name in ("min_words", "max_words", "documents", "deduplicate", "limit")}
        return made if self.limit is None else {**made, "seed": self.seed}


def prepare_wiki(source: Path, output: Path, options: WikiOptions, on_progress: Progress) -> Prepared:
    """Clean a text file, plain or gzip, or all files below a folder.

    Raises:
        DataError: nothing is left, fewer are left than the limit, a line is not UTF-8, or `output` is in the way.
    """
    if options.min_words > options.max_words:
        raise DataError(f"--min-words {options.min_words} is above --max-words {options.max_words}.")
    return prepare(
        output,
        Request("wiki", (("text", source),), options.to_dict()),
        lambda folder: _write(folder / SENTENCES, source, options, on_progress),
    )


def _write(target: Path, source: Path, options: WikiOptions, on_progress: Progress) -> dict[str, Any]:
    cleaner = Cleaner(options.min_words, options.max_words, options.documents, options.deduplicate)
    kept = 0
    with _gzip_writer(target) as file:
        for line in _lines(source, on_progress):
            for sentence in cleaner.sentences(line):
                file.write(f"{sentence}\n".encode())
                kept += 1
    if kept == 0:
        raise DataError(f"{source}: no sentence is left of it. Is it text, and do the options fit?")
    dropped = dict(sorted(cleaner.dropped.items()))
    if options.limit is not None:
        _sample(target, kept, options.limit, options.seed)
        dropped, kept = {**dropped, "not sampled": kept - options.limit}, options.limit
    return {"sentences": kept, "dropped": dropped}


def _sample(path: Path, count: int, limit: int, seed: int) -> None:
    """Keep `limit` of `count` lines, each subset equally likely (Knuth's Algorithm S), in constant memory."""
    if limit > count:
        raise DataError(f"--limit {limit} asks for more sentences than the {count} that are left. Lower it.")
    draw = random.Random(seed)  # noqa: S311  chance, not secrecy
    whole = path.with_name("all.gz")
    path.rename(whole)
    with gzip.open(whole) as sentences, _gzip_writer(path) as file:
        for seen, line in enumerate(sentences):
            if draw.random() * (count - seen) < limit:
                file.write(line)
                limit -= 1
    whole.unlink()


@contextmanager
def _gzip_writer(path: Path) -> Iterator[gzip.GzipFile]:
    """Neither name nor time in the file: the same sentences give the same bytes."""
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as file:
        yield file


def _lines(source: Path, on_progress: Progress) -> Iterator[str]:
    paths = [source / name for name in files_below(source)] if source.is_dir() else [source]
    count = 0
    for path in paths:
        for _, line in lines(path):
            yield line
            count += 1
            if count % _TELL_EVERY == 0:
                on_progress(count)
    on_progress(count)
