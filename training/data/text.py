"""Sentences to train on, one after the other: plain lines, JSONL, CSV, TSV or Parquet, never a whole file in memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from training.data.files import form, lines
from training.data.jsonl import JSONL, json_lines, text
from training.data.tables import TABLES, read_table
from training.errors import DataError

_NAMES = ("text", "sentence")  # of the column, where there are several and none is asked for


def read_sentences(path: Path, *, column: str | None = None) -> Iterator[tuple[int, str]]:
    """Sentences with the number of their line, or in Parquet of their row, from 1.

    The ending decides: `.jsonl` holds an object a line, `.csv` and `.tsv` name their columns in the first line,
    `.parquet` is Parquet, and anything else holds a sentence a line. All but Parquet may be gzip (`.gz`).

    Args:
        path: the file.
        column: where the sentence stands; None takes the only column, or the one named `text` or `sentence`.

    Raises:
        DataError: the file cannot be read, has no such column, or holds no sentence, an empty one or another value.
    """
    nothing = True
    for number, sentence in _sentences(path, column):
        if not sentence.strip():
            place = "row" if form(path) == ".parquet" else "line"
            what = "sentence" if form(path) in (*TABLES, *JSONL) else "line"
            raise DataError(f"{path}, {place} {number}: the {what} is empty. Remove it; each must be a sentence.")
        nothing = False
        yield number, sentence
    if nothing:
        raise DataError(f"{path}: no sentences in it.")


def _sentences(path: Path, column: str | None) -> Iterator[tuple[int, str]]:
    if form(path) in TABLES:
        rows = read_table(path, lambda names: [_index(path, names, column)])
        return ((number, sentence) for number, (sentence,) in rows)
    if form(path) in JSONL:
        return _json_sentences(path, column)
    if form(path) == ".json":
        raise DataError(f"{path}: JSON is not read as text. Write an object a line into a file that ends in .jsonl.")
    if column is not None:
        raise DataError(f"{path}: plain lines have no column {column}. Leave data.text_column out.")
    return lines(path)


def _json_sentences(path: Path, column: str | None) -> Iterator[tuple[int, str]]:
    for number, record in json_lines(path):
        if not isinstance(record, dict):
            raise DataError(f'{path}, line {number}: expected an object such as {{"text": "A sentence."}}.')
        key = _key(path, number, record, column)
        yield number, text(path, number, key, record[key])


def _key(path: Path, number: int, record: dict[str, Any], column: str | None) -> str:
    names = list(record)
    return names[_index(f"{path}, line {number}", names, column)]


def _index(place: Path | str, names: Sequence[str], column: str | None) -> int:
    wanted = (column,) if column is not None else _NAMES
    for name in wanted:
        if name in names:
            return names.index(name)
    if column is None and len(names) == 1:
        return 0
    found = ", ".join(names) or "none"
    asked = f"no column {column}" if column is not None else "which column holds the sentences is not clear"
    raise DataError(f"{place}: {asked}; found {found}. Name one of them in data.text_column.")
