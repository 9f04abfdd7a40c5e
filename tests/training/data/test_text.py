import csv
import gzip
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from training.data.text import read_sentences
from training.errors import DataError

SENTENCES = ["A man, in a hat.", 'She said "no".', "Ein schönes Bild"]

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(str.strip)


def sentences(path: Path, column: str | None = None) -> list[str]:
    return [sentence for _, sentence in read_sentences(path, column=column)]


def write(path: Path, column: str) -> None:
    """The sentences, with a number beside each where the form has columns."""
    rows = list(enumerate(SENTENCES))
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("id", column), *rows])
    elif path.suffix == ".tsv":
        path.write_text(f"id\t{column}\n" + "".join(f"{number}\t{text}\n" for number, text in rows))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"id": number, column: text}) + "\n" for number, text in rows))
    elif path.suffix == ".parquet":
        parquet.write_table(pa.table({"id": range(3), column: SENTENCES}), path)
    else:
        path.write_text("".join(f"{text}\n" for text in SENTENCES))


FORMS = [".txt", ".csv", ".tsv", ".jsonl", ".parquet"]


@pytest.mark.parametrize("ending", FORMS)
def test_every_form_gives_the_same_sentences(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    write(path, "text")
    assert sentences(path) == SENTENCES
    if ending != ".parquet":
        packed = tmp_path / f"t{ending}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        assert list(read_sentences(packed)) == list(read_sentences(path))


@pytest.mark.parametrize(
    ("ending", "first"), [(".txt", 1), (".csv", 2), (".tsv", 2), (".jsonl", 1), (".parquet", 1)], ids=FORMS
)
def test_sentences_are_numbered_by_line_or_row(tmp_path: Path, ending: str, first: int) -> None:
    write(tmp_path / f"t{ending}", "sentence")
    numbers = [number for number, _ in read_sentences(tmp_path / f"t{ending}")]
    assert numbers == [first, first + 1, first + 2]


@pytest.mark.parametrize("ending", FORMS[1:])
def test_a_column_of_another_name_is_asked_for(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    write(path, "caption")
    assert sentences(path, column="caption") == SENTENCES
    with pytest.raises(DataError, match=r"not clear; found id, caption\. Name one of them in data\.text_column"):
        sentences(path)
    with pytest.raises(DataError, match="no column title; found id, caption"):
        sentences(path, column="title")


def test_the_only_column_is_taken_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("anything\na dog\n")
    (tmp_path / "t.jsonl").write_text('{"anything": "a dog"}\n')
    assert sentences(tmp_path / "t.csv") == sentences(tmp_path / "t.jsonl") == ["a dog"]


def test_keys_of_jsonl_may_come_in_any_order_and_with_others(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "a dog"}\n{"id": 2, "text": "a cat", "sentence": "x"}\n')
    assert sentences(tmp_path / "t.jsonl") == ["a dog", "a cat"]


def test_plain_lines_that_look_like_csv_are_plain_lines(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text('text,id\n"a dog",1\n')
    assert sentences(tmp_path / "t.txt") == ["text,id", '"a dog",1']


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.txt", b"one\n\ntwo\n", r"t\.txt, line 2: the line is empty\. Remove it"),
        ("t.txt", b"one\n \t\n", r"t\.txt, line 2: the line is empty"),
        ("t.txt", b"one\ntwo\n\xff\xfe\n", r"t\.txt, line 3: not UTF-8"),
        ("t.txt", b"", r"t\.txt: no sentences"),
        ("t.csv", b"text\n", r"t\.csv: no sentences"),
        ("t.jsonl", b"", r"t\.jsonl: no sentences"),
        ("t.csv", b"text,id\n ,2\n", r"t\.csv, line 2: the sentence is empty"),
        ("t.csv", b"text\none\n\n", r"t\.csv, line 3: the sentence is empty"),
        ("t.csv", b"text\none\n\xff\n", r"t\.csv, line 3: not UTF-8"),
        ("t.csv", b"text\none\nt\0wo\n", r"t\.csv, line 3: a NUL byte"),
        ("t.tsv", b"text\tid\none\t1\n\t2\n", r"t\.tsv, line 3: the sentence is empty"),
        ("t.jsonl", b'{"text": "one"}\n{"text": ""}\n', r"t\.jsonl, line 2: the sentence is empty"),
        ("t.jsonl", b'{"text": "one"}\n{"text": 2}\n', r"t\.jsonl, line 2: text is a number"),
        ("t.jsonl", b'{"text": "one"}\n{"text": "tw\n', r"t\.jsonl, line 2: not JSON"),
        ("t.jsonl", b'{"text": "one"}\n["two"]\n', r"t\.jsonl, line 2: expected an object"),
        ("t.jsonl", b'{"text": "one"}\n{"a": "x", "b": "y"}\n', r"t\.jsonl, line 2: which column .* found a, b"),
        ("t.jsonl", b"{}\n", r"t\.jsonl, line 1: which column .* found none"),
        ("t.json", b'{"text": "one"}\n', r"t\.json: JSON is not read as text.* \.jsonl"),
    ],
)
def test_bad_text_is_named_with_its_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """P34: bad data is refused with a line number."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        sentences(tmp_path / name)


def test_an_empty_sentence_in_parquet_is_named_with_its_row(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"text": ["one", " "]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet, row 2: the sentence is empty"):
        sentences(tmp_path / "t.parquet")


@pytest.mark.parametrize("name", ["t.txt", "t.csv.gz", "t.tsv", "t.jsonl", "t.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"{name}: there is no such file"):
        sentences(tmp_path / name)


@pytest.mark.parametrize("ending", [".txt", ".csv", ".jsonl"])
def test_a_file_cut_short_is_named(tmp_path: Path, ending: str) -> None:
    write(tmp_path / f"t{ending}", "text")
    packed = tmp_path / f"t{ending}.gz"
    packed.write_bytes(gzip.compress((tmp_path / f"t{ending}").read_bytes())[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        sentences(packed)


def test_a_column_of_plain_lines_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "t.txt", "text")
    with pytest.raises(DataError, match=r"plain lines have no column title\. Leave data\.text_column out"):
        sentences(tmp_path / "t.txt", column="title")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("round-trip")


@given(st.lists(st.tuples(texts, st.text(st.characters(codec="utf-8", exclude_characters="\0"))), min_size=1))
def test_what_the_csv_writer_wrote_comes_back(folder: Path, rows: list[tuple[str, str]]) -> None:
    path = folder / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("text", "other"), *rows])
    assert sentences(path) == [text for text, _ in rows]


@given(st.lists(texts, min_size=1), st.booleans())
def test_what_the_json_writer_wrote_comes_back(folder: Path, rows: list[str], ascii_only: bool) -> None:
    content = "".join(json.dumps({"text": text}, ensure_ascii=ascii_only) + "\n" for text in rows)
    (folder / "t.jsonl").write_bytes(content.encode())
    assert sentences(folder / "t.jsonl") == rows


def long_lines(ending: str) -> Iterator[str]:
    line = "a man in a hat runs through the snow with his dog"
    wrapped = f'{{"text": "{line}"}}' if ending == ".jsonl" else line
    yield from ["text\n"] if ending in (".csv", ".tsv") else []
    yield from (f"{wrapped}\n" for _ in range(200_000))


@pytest.mark.parametrize("ending", [".txt", ".csv", ".tsv", ".jsonl"])
def test_a_long_file_is_never_whole_in_memory(tmp_path: Path, ending: str) -> None:
    with gzip.open(tmp_path / f"t{ending}.gz", "wt", compresslevel=1) as file:
        file.writelines(long_lines(ending))
    tracemalloc.start()
    assert sum(1 for _ in read_sentences(tmp_path / f"t{ending}.gz")) == 200_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_parquet_is_read_in_batches_of_rows(tmp_path: Path) -> None:
    row = "a man in a hat runs through the snow with his dog"
    table = pa.table({"text": [f"{number} {row}" for number in range(200_000)]})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=10_000)
    whole = table.nbytes
    del table
    before = pa.total_allocated_bytes()
    most = 0
    for number, _ in read_sentences(tmp_path / "t.parquet"):
        if number % 1_000 == 0:
            most = max(most, pa.total_allocated_bytes() - before)
    assert most < whole / 3


@pytest.mark.data
def test_every_sentence_of_the_real_text_is_read(data: Path) -> None:
    count = sum(1 for _ in read_sentences(data / "wiki" / "simplewiki_sentences.txt.gz"))
    assert count == 1_072_544
