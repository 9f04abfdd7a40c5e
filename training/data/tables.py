"""Columns of CSV, TSV and Parquet files, row by row; the first row of CSV and TSV names the columns."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from training.data.files import form, lines, whole_lines
from training.data.parquet import parquet_rows
from training.errors import DataError

TABLES = (".csv", ".tsv", ".parquet")

Choose = Callable[[Sequence[str]], Sequence[int]]
"""Told the names of a file's columns, says which are read; raises DataError where it finds none to read."""


def read_table(path: Path, choose: Choose) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The chosen columns of each row, with the line it begins on, or in Parquet with its number from 1.

    CSV is quoted as usual (RFC 4180), TSV is not quoted at all: a quote character is part of its field.

    Raises:
        DataError: the file cannot be read, or a row is malformed or has another width than the header.
    """
    if form(path) == ".parquet":
        return parquet_rows(path, choose)
    return _chosen(path, _csv_rows(path) if form(path) == ".csv" else _tsv_rows(path), choose)


def _chosen(path: Path, rows: Iterator[tuple[int, list[str]]], choose: Choose) -> Iterator[tuple[int, tuple[str, ...]]]:
    header = next(rows, None)
    if header is None:
        raise DataError(f"{path}: the file is empty. Its first line must name the columns.")
    names = [name.strip() for name in header[1]]
    columns = choose(names)
    for column in columns:
        if names.count(names[column]) > 1:
            raise DataError(f"{path}, line 1: several columns are named {names[column]!r}. Rename them.")
    for number, row in rows:
        if len(row) != len(names):
            raise DataError(
                f"{path}, line {number}: {len(row)} fields, but the first line names {len(names)} columns. "
                "Quote a CSV's fields that hold a comma; a TSV's cannot hold a tab."
            )
        yield number, tuple(row[column] for column in columns)


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    numbered = whole_lines(path)
    # Not strict, an open quotation would silently swallow the rest of the file.
    reader = csv.reader((line for _, line in numbered), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{path}, line {number}: not CSV ({error}). Quote the field, doubling its quotes."
            ) from error
        yield number, row or [""]


def _tsv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    return ((number, line.split("\t")) for number, line in lines(path))
