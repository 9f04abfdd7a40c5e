import csv
import io
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidInput
from service.importing.options import DEFAULT, Format, ReadOptions
from service.importing.records import Record, RecordReader, Rejection


def read(
    content: bytes, format: Format = "jsonl", options: ReadOptions = DEFAULT, *, skip: int = 0, cuts: Sequence[int] = ()
) -> list[Record | Rejection]:
    """All items of `content`, fed in the pieces between `cuts`."""
    reader = RecordReader(format, options, skip=skip)
    places = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    items = [item for start, end in pairwise(places) for item in reader.feed(content[start:end])]
    return items + reader.close()


def rejected(items: Sequence[Record | Rejection]) -> list[tuple[int, str]]:
    return [(item.line, item.reason) for item in items if isinstance(item, Rejection)]


def only_reason(content: bytes, format: Format = "jsonl", options: ReadOptions = DEFAULT) -> str:
    [item] = read(content, format, options)
    assert isinstance(item, Rejection)
    return item.reason


def test_a_line_of_jsonl_is_a_record() -> None:
    line = b'{"id": 7, "text": "a dog", "vector": [1, 0.5], "year": 2021, "tags": ["x"], "none": null}\n'
    assert read(line) == [Record(1, 7, "a dog", [1, 0.5], {"year": 2021, "tags": ["x"], "none": None})]


def test_the_last_line_needs_no_line_end() -> None:
    assert read(b'{"text": "a"}\n{"text": "b"}') == [
        Record(1, None, "a", None, None),
        Record(2, None, "b", None, None),
    ]


def test_fields_are_named_by_the_options() -> None:
    options = ReadOptions(id_field="key", text_field="body", vector_field="e", metadata_fields=frozenset({"kept"}))
    line = b'{"key": "k", "body": "b", "e": [1], "kept": 1, "dropped": 2, "text": 3}'
    assert read(line, options=options) == [Record(1, "k", "b", [1], {"kept": 1})]


def test_where_a_vector_is_of_no_use_a_record_needs_a_text() -> None:
    options = ReadOptions(vector_field=None, metadata_fields=frozenset())
    content = b'{"text": "a dog", "vector": "none"}\n{"vector": [1, 2]}\n'
    assert read(content, options=options) == [
        Record(1, None, "a dog", None, None),
        Rejection(2, "There is no text in `text`."),
    ]
    assert read(b"text,vector\na dog,none\n", "csv", options) == [Record(2, None, "a dog", None, None)]
    with pytest.raises(InvalidInput, match=r"none is named text\. "):
        read(b"vector\n1 2\n", "csv", options)


def test_an_object_called_metadata_is_the_metadata() -> None:
    line = b'{"text": "a", "metadata": {"kind": "x"}, "year": 1}\n{"text": "b", "metadata": "words"}'
    assert [item.metadata for item in read(line) if isinstance(item, Record)] == [
        {"kind": "x", "year": 1},
        {"metadata": "words"},
    ]
    assert "1 of its fields" in only_reason(b'{"text": "a", "metadata": {"year": 2}, "year": 1}')


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (b'{"text": "a"', "not valid JSON (at character 13)"),
        (b'{"text": "canary", "x": NaN}', "not valid JSON (at character 25)"),
        (b'{"text": "\\ud800"}', "not valid JSON"),
        (b"[" * 5000, "not valid JSON"),
        (b'["canary"]', "It is an array"),
        (b'{"text": 5}', "`text` is an integer; a text is a string"),
        (b'{"text": true}', "`text` is a boolean"),
        (b'{"text": "a", "id": 1.5}', "`id` is a number; an id is a string or an integer"),
        (b'{"text": "a", "id": true}', "`id` is a boolean"),
        (b'{"text": "a", "id": {}}', "`id` is an object"),
        (b'{"vector": "canary"}', "`vector` is a string"),
        (b'{"vector": [1, true]}', "a boolean at position 1"),
        (b'{"vector": [1, null]}', "null at position 1"),
        (b'{"title": "canary"}', "neither a text in `text` nor a vector in `vector`"),
        (b'{"text": null}', "neither a text"),
        (b'{"text": "\xff"}', "not UTF-8 (at byte 11)"),
        ('{"text": "a"}'.encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_bad_line_is_rejected_with_its_reason_and_without_its_content(line: bytes, part: str) -> None:
    items = read(b'{"text": "before"}\n' + line + b'\n{"text": "after"}')
    assert [(item.line, type(item)) for item in items] == [(1, Record), (2, Rejection), (3, Record)]
    reason = rejected(items)[0][1]
    assert part in reason
    assert "canary" not in reason


def test_text_is_a_sentence_a_line() -> None:
    content = '\ufeffein Hund\r\n\n   \n“zwei”, "drei"\nend'.encode()
    assert read(content, "text") == [
        Record(1, None, "ein Hund", None, None),
        Record(4, None, '“zwei”, "drei"', None, None),
        Record(5, None, "end", None, None),
    ]


def test_a_byte_order_mark_and_carriage_returns_are_no_content() -> None:
    assert read(b'\xef\xbb\xbfid,text\r\n1,"a\r\nb"\r\n\r\n2,c\r\n', "csv") == [
        Record(2, "1", "a\r\nb", None, None),
        Record(5, "2", "c", None, None),
    ]


def test_cells_stay_strings_and_empty_cells_are_no_fields() -> None:
    assert read(b"id,text,zip,empty\n007,a,00123,\n", "csv") == [Record(2, "007", "a", None, {"zip": "00123"})]


def test_cells_are_read_as_the_types_say() -> None:
    options = ReadOptions(types={"id": "int", "n": "int", "x": "float", "ok": "bool", "tags": "json"})
    content = b'id,text,n,x,ok,tags\n1,a,-5,2.5,TRUE,"[""x"", 1]"\n'
    assert read(content, "csv", options) == [Record(2, 1, "a", None, {"n": -5, "x": 2.5, "ok": True, "tags": ["x", 1]})]


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("int", "1.5"), ("int", "1_000"), ("int", "9" * 30), ("int", "9" * 5000), ("float", "nan"), ("float", "1e999"),
        ("float", "x"), ("bool", "yes"), ("json", "{"), ("json", "NaN"),
    ],
)  # fmt: skip
def test_a_cell_of_another_type_is_rejected(kind: Any, cell: str) -> None:
    reason = only_reason(f'text,n\na,"{cell}"\n'.encode(), "csv", ReadOptions(types={"n": kind}))
    assert reason.startswith(f"`n` holds {len(cell)} characters that are no ")


@pytest.mark.parametrize("cell", ["[1, 2.5, -3]", "1 2.5 -3", "1;2.5;-3", "1, 2.5, -3"])
def test_a_vector_in_a_cell_is_an_array_or_numbers_in_a_row(cell: str) -> None:
    assert read(f'id,vector\nx,"{cell}"\n'.encode(), "csv") == [Record(2, "x", None, [1, 2.5, -3], None)]


def test_a_vector_in_a_cell_must_be_finite_numbers() -> None:
    assert "no vector" in only_reason(b"vector\n1 nan\n", "csv")
    assert "no vector" in only_reason(b"vector\n1 dog\n", "csv")
    assert "a vector holds numbers" in only_reason(b'vector\n"[1, ""x""]"\n', "csv")


def test_metadata_in_a_cell_is_an_object_of_json() -> None:
    content = b'text,metadata\na,"{""k"": 1}"\nb,plain\nc,{broken\n'
    items = read(content, "csv")
    assert [item.metadata for item in items if isinstance(item, Record)] == [{"k": 1}, {"metadata": "plain"}]
    assert rejected(items) == [(4, "`metadata` holds 7 characters that are no valid JSON.")]


def test_rows_of_another_length_are_rejected() -> None:
    assert rejected(read(b"id,text\n1\n2,b\n3,c,d\n", "csv")) == [
        (2, "The row has 1 cells; the header has 2."),
        (4, "The row has 3 cells; the header has 2."),
    ]


def test_another_delimiter() -> None:
    assert read(b'id\ttext\n1\t"a\tb"\n', "csv", ReadOptions(delimiter="\t")) == [Record(2, "1", "a\tb", None, None)]


def test_a_quote_without_an_end_is_told_where_it_begins() -> None:
    items = read(b'id,text\n1,a\n2,"b\n3,c\n4,d', "csv")
    assert [item.line for item in items] == [2, 3]
    assert "no closing quote" in rejected(items)[0][1]


def test_what_follows_a_closing_quote_is_rejected_alone() -> None:
    items = read(b'id,text\n1,"a" b\n2,c "d"\n', "csv")
    assert "Cell 2 goes on after its closing quote" in rejected(items)[0][1]
    assert items[1] == Record(3, "2", 'c "d"', None, None)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (b"id,title\n", "none is named text or vector"),
        (b"text,a,a\n", "two have one name"),
        (b'"text"x\n', "the header: Cell 1"),
        (b"\xfftext\n", "the header: It is not UTF-8"),
    ],
)
def test_a_header_of_no_use_is_an_error(header: bytes, part: str) -> None:
    with pytest.raises(InvalidInput, match=r"^Line 1, the header") as caught:
        read(header + b"1,2\n", "csv")
    assert part in caught.value.message


@pytest.mark.parametrize("format", ["jsonl", "text", "csv"])
def test_a_line_over_the_limit_is_rejected_and_not_held(format: Format) -> None:
    options = ReadOptions(max_line_bytes=50)
    reader = RecordReader(format, options)
    good = {"jsonl": b'{"text": "a"}\n', "text": b"a\n", "csv": b"a,\n"}[format]
    items = reader.feed((b"text,x\n" if format == "csv" else b"") + good)
    for _ in range(1000):
        items += reader.feed(b"x" * 1000)
    assert sum(map(len, reader._lines._held)) <= 50
    items += reader.feed(b"\n" + good) + reader.close()
    line = 2 if format == "csv" else 1
    assert [item.line for item in items] == [line, line + 1, line + 2]
    assert "longer than 50 bytes" in rejected(items)[0][1]


def test_a_line_of_exactly_the_limit_is_read() -> None:
    options = ReadOptions(max_line_bytes=10)
    assert len(rejected(read(b"x" * 10 + b"\n" + b"y" * 11, "text", options))) == 1
    assert rejected(read(b'text\n"12345678"\n"123456789"\n', "csv", options)) == [
        (3, "The row is longer than 10 bytes, which is the limit.")
    ]


def test_a_csv_row_of_many_lines_over_the_limit_is_rejected_and_not_held() -> None:
    reader = RecordReader("csv", ReadOptions(max_line_bytes=100))
    items = reader.feed(b'text\n"')
    for _ in range(1000):
        items += reader.feed(b"x" * 50 + b"\n")
    assert reader._rows is not None
    assert sum(map(len, reader._rows._held)) <= 100
    items += reader.feed(b'"\nafter\n')
    assert rejected(items) == [(2, "The row is longer than 100 bytes, which is the limit.")]
    assert items[-1] == Record(1003, None, "after", None, None)


def test_skipped_items_are_passed_over_without_being_read() -> None:
    content = b'{"text": "a"}\n\nbroken\n{"text": "b"}\n'
    for skip in range(5):
        assert read(content, skip=skip) == read(content)[skip:]
    rows = b'id,text\n1,"a\nb"\n2\n3,c\n'
    for skip in range(5):
        assert read(rows, "csv", skip=skip) == read(rows, "csv")[skip:]


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.integers(-9, 9) | st.text(max_size=5)), max_size=5),
    st.lists(st.integers(0, 500)),
)
def test_jsonl_is_the_same_wherever_it_is_cut(objects: list[dict[str, Any]], cuts: list[int]) -> None:
    content = b"".join(json.dumps(fields).encode() + b"\n" for fields in objects)
    assert read(content, cuts=cuts) == read(content)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)), st.sampled_from(["jsonl", "text"]))
def test_any_bytes_are_the_same_wherever_they_are_cut(content: bytes, cuts: list[int], format: Format) -> None:
    options = ReadOptions(max_line_bytes=12)
    assert read(content, format, options, cuts=cuts) == read(content, format, options)


CELL = st.text(st.sampled_from('ab",; \n\r\té'), max_size=6)


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=6), st.lists(st.integers(0, 200)), st.booleans())
def test_csv_is_what_was_written_wherever_it_is_cut(rows: list[list[str]], cuts: list[int], crlf: bool) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n" if crlf else "\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["text", "more"])
    writer.writerows(rows)
    found = read(written.getvalue().encode(), "csv", cuts=cuts)
    expected = [(text or None, {"more": more} if more else None) for text, more in rows]
    assert [(item.text, item.metadata) if isinstance(item, Record) else None for item in found] == [
        pair if pair[0] else None for pair in expected
    ]


@given(st.binary(max_size=60).map(lambda tail: b"text,b\n" + tail), st.lists(st.integers(0, 60)))
def test_any_csv_is_the_same_wherever_it_is_cut(content: bytes, cuts: list[int]) -> None:
    assert read(content, "csv", cuts=cuts) == read(content, "csv")
