"""Supervised examples: a sentence and its positive, or with a hard negative besides, as SimCSE trains on NLI."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from training.data.files import form
from training.data.jsonl import JSONL, json_lines, text
from training.data.tables import TABLES, read_table
from training.errors import DataError

_NAMES = (("sent0", "sent1", "hard_neg"), ("anchor", "positive", "negative"))
_EXPECTED = "sent0 and sent1 (and hard_neg), or anchor and positive (and negative)"


def read_examples(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Examples with the number of their line, or in Parquet of their row, from 1; all with two or all three sentences.

    In `.csv`, `.tsv` and `.parquet` the columns are named `sent0`, `sent1` and `hard_neg` (SimCSE's NLI file) or
    `anchor`, `positive` and `negative`; files with two or three columns of other names are read by position. The first
    line of CSV and TSV is always taken for the header. A line of `.jsonl` is an object with those keys, or an array.
    All but Parquet may be gzip (`.gz`).

    Raises:
        DataError: the file cannot be read, has no such columns, or a row has another width or an empty sentence.
    """
    nothing = True
    place = "row" if form(path) == ".parquet" else "line"
    for number, example in _examples(path):
        if not all(map(str.strip, example)):
            raise DataError(f"{path}, {place} {number}: a sentence is empty. Remove the {place}.")
        nothing = False
        yield number, example
    if nothing:
        raise DataError(f"{path}: no examples in it.")


def _examples(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    if form(path) in TABLES:
        return read_table(path, lambda names: _columns(path, names))
    if form(path) in JSONL:
        return _json_examples(path)
    raise DataError(f"{path}: expected a file that ends in .csv, .tsv, .jsonl or .parquet.")


def _columns(path: Path, names: Sequence[str]) -> list[int]:
    known = _known(names)
    if known:
        return [names.index(name) for name in known]
    if len(names) in (2, 3):
        return list(range(len(names)))
    raise DataError(f"{path}: expected the columns {_EXPECTED}; found {', '.join(names)}.")


def _known(names: Sequence[str]) -> list[str]:
    """Those of the known names that are there, if they make an example."""
    for wanted in _NAMES:
        if wanted[0] in names and wanted[1] in names:
            return [name for name in wanted if name in names]
    return []


def _json_examples(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    width: int | None = None
    for number, record in json_lines(path):
        example = _json_example(path, number, record)
        width = width or len(example)
        if len(example) != width:
            raise DataError(
                f"{path}, line {number}: {len(example)} sentences, but the lines before have {width}. "
                "Every line must have as many."
            )
        yield number, example


def _json_example(path: Path, number: int, record: Any) -> tuple[str, ...]:
    if isinstance(record, list) and len(record) in (2, 3):
        return tuple(text(path, number, f"value {place}", value) for place, value in enumerate(record, start=1))
    known = _known(list(record)) if isinstance(record, dict) else []
    if not known:
        raise DataError(f"{path}, line {number}: expected an array of 2 or 3 sentences, or the keys {_EXPECTED}.")
    return tuple(text(path, number, name, record[name]) for name in known)
