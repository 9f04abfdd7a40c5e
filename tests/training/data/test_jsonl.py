from pathlib import Path
from typing import Any

import pytest

from training.data.jsonl import json_lines, text
from training.errors import DataError


def test_each_line_is_a_value(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": "x"}\n["ü", 2]\n"s"')
    assert list(json_lines(tmp_path / "t.jsonl")) == [(1, {"a": "x"}), (2, ["ü", 2]), (3, "s")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"a": ', "Expecting value"),
        ("", "Expecting value"),
        ("{'a': 1}", "Expecting property name"),
        ("[" * 100_000, "RecursionError"),
        ("1" * 5_000, "ValueError"),
        ('"a" "b"', "Extra data"),
    ],
    ids=["cut", "empty", "python", "deep", "long", "two"],
)
def test_a_line_that_is_not_json_is_named(tmp_path: Path, line: str, reason: str) -> None:
    (tmp_path / "t.jsonl").write_text(f'{{"a": "x"}}\n{line}\n{{"a": "y"}}\n')
    with pytest.raises(DataError, match=rf"t\.jsonl, line 2: not JSON \({reason}"):
        list(json_lines(tmp_path / "t.jsonl"))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, "a number"),
        (1.5, "a number"),
        (None, "null"),
        (True, "a boolean"),
        (["a"], "an array"),
        ({"a": "b"}, "an object"),
    ],
)
def test_a_value_that_is_no_text_is_told_with_its_kind(value: Any, kind: str) -> None:
    with pytest.raises(DataError, match=rf"t\.jsonl, line 4: key is {kind}\. It must be a string"):
        text(Path("t.jsonl"), 4, "key", value)


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(DataError, match=r"t\.jsonl, line 4: key holds half of a surrogate pair"):
        text(Path("t.jsonl"), 4, "key", "\ud800")
