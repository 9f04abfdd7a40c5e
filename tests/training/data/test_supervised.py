import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from training.data.supervised import read_examples
from training.errors import DataError

NLI = 'sent0,sent1,hard_neg\n"A man, smiling.",He smiles.,He cries.\nTwo dogs.,Dogs.,A cat.\n'
EXAMPLES = [("A man, smiling.", "He smiles.", "He cries."), ("Two dogs.", "Dogs.", "A cat.")]


def examples(path: Path) -> list[tuple[str, ...]]:
    return [example for _, example in read_examples(path)]


def test_simcse_s_nli_file_is_read_plain_and_gzipped(tmp_path: Path) -> None:
    (tmp_path / "nli.csv").write_text(NLI)
    (tmp_path / "nli.csv.gz").write_bytes(gzip.compress(NLI.encode()))
    assert list(read_examples(tmp_path / "nli.csv")) == list(enumerate(EXAMPLES, start=2))
    assert list(read_examples(tmp_path / "nli.csv.gz")) == list(enumerate(EXAMPLES, start=2))


@pytest.mark.parametrize("names", [("sent0", "sent1", "hard_neg"), ("anchor", "positive", "negative")])
@pytest.mark.parametrize("width", [2, 3])
def test_every_form_is_read_by_name_whatever_the_order(tmp_path: Path, names: tuple[str, ...], width: int) -> None:
    rows = [dict(zip(names[:width], example, strict=False)) for example in EXAMPLES]
    columns = [*reversed(names[:width]), "score"]
    table = {name: [row.get(name, "7") for row in rows] for name in columns}
    parquet.write_table(pa.table(table), tmp_path / "t.parquet")
    tsv = ["\t".join(columns), *("\t".join(row.get(name, "7") for name in columns) for row in rows)]
    (tmp_path / "t.tsv").write_text("\n".join(tsv))
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(row | {"score": 7}) for row in reversed(rows)))
    expected = [example[:width] for example in EXAMPLES]
    assert list(read_examples(tmp_path / "t.parquet")) == list(enumerate(expected, start=1))
    assert list(read_examples(tmp_path / "t.tsv")) == list(enumerate(expected, start=2))
    assert list(read_examples(tmp_path / "t.jsonl")) == list(enumerate(reversed(expected), start=1))


@pytest.mark.parametrize("width", [2, 3])
def test_columns_of_other_names_are_read_by_position(tmp_path: Path, width: int) -> None:
    header = ",".join(["premise", "entailment", "contradiction"][:width])
    (tmp_path / "t.csv").write_text(f"{header}\n" + ",".join("abc"[:width]))
    assert examples(tmp_path / "t.csv") == [tuple("abc"[:width])]


def test_jsonl_takes_arrays(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('["a", "b"]\n["c", "d"]\n')
    assert list(read_examples(tmp_path / "t.jsonl")) == [(1, ("a", "b")), (2, ("c", "d"))]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "sent0,sent1\na,b\na,b,c\n", r"t\.csv, line 3: 3 fields, but the first line names 2"),
        ("t.tsv", "sent0\tsent1\na\tb\na\n", r"t\.tsv, line 3: 1 fields"),
        ("t.csv", "sent0,sent1\na,b\na, \n", r"t\.csv, line 3: a sentence is empty\. Remove the line"),
        ("t.csv", "one\na\n", r"t\.csv: expected the columns sent0 and sent1.*; found one\."),
        ("t.csv", "a,b,c,d\n1,2,3,4\n", r"t\.csv: expected the columns .*; found a, b, c, d\."),
        ("t.csv", "sent0,sent1\n", r"t\.csv: no examples"),
        ("t.jsonl", '["a", "b"]\n["a", "b", "c"]\n', r"t\.jsonl, line 2: 3 sentences, but the lines before have 2"),
        (
            "t.jsonl",
            '{"sent0": "a", "sent1": "b", "hard_neg": "c"}\n{"sent0": "a", "sent1": "b"}\n',
            r"t\.jsonl, line 2: 2 sentences, but the lines before have 3",
        ),
        ("t.jsonl", '["a", "b"]\n["a", 2]\n', r"t\.jsonl, line 2: value 2 is a number"),
        ("t.jsonl", '["a", "b"]\n["a", ""]\n', r"t\.jsonl, line 2: a sentence is empty"),
        ("t.jsonl", '["a"]\n', r"t\.jsonl, line 1: expected an array of 2 or 3 sentences, or the keys"),
        ("t.jsonl", '{"sent0": "a"}\n', r"t\.jsonl, line 1: expected an array"),
        ("t.jsonl", '{"sent0": null, "sent1": "b"}\n', r"t\.jsonl, line 1: sent0 is null"),
        ("t.jsonl", '"a"\n', r"t\.jsonl, line 1: expected an array"),
        ("t.txt", "a\tb\n", r"t\.txt: expected a file that ends in \.csv, \.tsv, \.jsonl or \.parquet"),
    ],
)
def test_what_is_no_example_is_named_with_its_line_pitfall_18(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    """Pitfall 18: every example has as many sentences; none is padded or cut."""
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        examples(tmp_path / name)


def test_an_empty_sentence_in_parquet_is_named_with_its_row(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"sent0": ["a", "b"], "sent1": ["c", ""]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet, row 2: a sentence is empty\. Remove the row"):
        examples(tmp_path / "t.parquet")
