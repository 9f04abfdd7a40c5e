from pathlib import Path
from typing import Any

import pytest

from training.errors import DataError
from training.evaluation.figure import draw
from training.evaluation.saved import read_scores, write_scores
from training.evaluation.sts import STS_SETS

REPORT: dict[str, Any] = {
    "model": "better",
    "sts": dict.fromkeys(STS_SETS, 81.25),
    "sts_average": 81.25,
    "retrieval": {"recall@1": 12.5, "median_rank": 7.0},
}
BASE: dict[str, Any] = {"model": "base", "sts": dict.fromkeys(STS_SETS, 70.5), "sts_average": 70.5}


def test_scores_are_read_back_from_the_file_and_from_its_directory(tmp_path: Path) -> None:
    write_scores(tmp_path / "new" / "out", REPORT, None)
    assert read_scores(tmp_path / "new" / "out") == read_scores(tmp_path / "new" / "out" / "scores.json") == REPORT
    assert {path.name for path in (tmp_path / "new" / "out").iterdir()} == {"scores.json", "scores.svg"}


def test_the_picture_is_one_file_and_the_same_for_the_same_scores() -> None:
    picture = draw([REPORT])
    assert picture == draw([REPORT])
    assert picture is not None
    assert b"<svg" in picture
    assert b'href="http' not in picture


def test_the_base_is_drawn_beside_the_scores() -> None:
    alone, both = draw([REPORT]), draw([BASE, REPORT])
    assert alone is not None
    assert both is not None
    assert both.count(b"#9aa5b1") >= 8 > alone.count(b"#9aa5b1")
    assert b"#1f5fa8" in alone
    assert b"<!-- better -->" in both
    assert b"<!-- base -->" in both
    assert b"<!-- 12.5 -->" in both  # only one of them has retrieval
    assert b"<!-- 7.0 -->" not in both  # a rank is no share


def test_without_anything_to_draw_there_is_no_picture(tmp_path: Path) -> None:
    write_scores(tmp_path, {"model": "x", "sts": {}, "retrieval": {}}, BASE)
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]


@pytest.mark.parametrize(
    ("content", "told"), [(None, "cannot be read"), ("{", "not JSON"), ("[]", "under sts"), ('{"a": 1}', "under sts")]
)
def test_what_is_no_report_is_told(tmp_path: Path, content: str | None, told: str) -> None:
    file = tmp_path / "scores.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(DataError, match=told):
        read_scores(file)
