"""Data directories of every version of the store open, with the rows and the answers they had.

`tests/golden/data-vN` was made once with the code that wrote version N; `answers.json` is what that code answered.
"""

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.search.embedded.collections import Collections
from service.search.filters.model import Filter, MatchAny
from service.search.points import Point, Search, Selection

GOLDEN = Path(__file__).parents[1] / "golden"
VERSIONS = sorted(path.name for path in GOLDEN.glob("data-v*"))
DIMENSIONS = {"sentence": 8, "grounded": 4}


def opened(data_dir: Path, fingerprint: str) -> Collections:
    return Collections.open(data_dir, fingerprint=fingerprint, dimensions=DIMENSIONS, max_points=1_000)


def test_there_is_old_data() -> None:
    assert VERSIONS == ["data-v1"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("time", ["first", "second"])
def test_old_data_opens_with_its_answers(tmp_path: Path, version: str, time: str) -> None:
    data_dir = tmp_path / "data"
    shutil.copytree(GOLDEN / version, data_dir)
    answers: dict[str, Any] = json.loads((data_dir / "answers.json").read_text(encoding="utf-8"))
    fingerprint = answers["cats"]["fingerprint"]
    if time == "second":
        opened(data_dir, fingerprint).close()
    with closing(opened(data_dir, fingerprint)) as collections:
        assert [info.name for info in collections.list()] == list(answers)
        for info in collections.list():
            answer = answers[info.name]
            about = ("space", "metric", "dimension", "fingerprint", "description", "created_at", "count")
            assert {field: getattr(info, field) for field in about} == {field: answer[field] for field in about}
            collection = collections.get(info.name)
            points = collection.get([point["id"] for point in answer["points"]])
            assert [
                {"id": p.id, "vector": p.vector.tolist(), "text": p.text, "metadata": p.metadata} for p in points
            ] == answer["points"]
            hits = collection.search(Search(queries=np.array(answer["queries"], np.float32), limit=5))
            assert [[hit.id for hit in one] for one in hits] == [[hit[0] for hit in one] for one in answer["hits"]]
            scores = [hit.score for one in hits for hit in one]
            assert scores == pytest.approx([hit[1] for one in answer["hits"] for hit in one], abs=1e-6)
        assert list(collections.verify()) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_old_data_can_do_what_is_new(tmp_path: Path, version: str) -> None:
    data_dir = tmp_path / "data"
    shutil.copytree(GOLDEN / version, data_dir)
    fingerprint = json.loads((data_dir / "answers.json").read_text(encoding="utf-8"))["cats"]["fingerprint"]
    with closing(opened(data_dir, fingerprint)) as collections:
        cats = collections.get("cats")
        english = Filter(must=(MatchAny("lang", ("en",)),))
        expected = [p.id for p in cats.scroll(limit=100).points if (p.metadata or {}).get("lang") == "en"]
        found = cats.search(Search(queries=np.ones((1, 8), np.float32), limit=100, filter=english))[0]
        assert len(expected) > 5
        assert {hit.id for hit in found} == set(expected)
        worded = cats.search(Search(words=("horses",), mode="lexical"))[0]
        assert {hit.text for hit in worded} == {"A man rides a horse along the beach."}
        cats.upsert([Point("new", np.ones(8, np.float32), "a new zebra", {"lang": "en"})])
        assert cats.count(Selection(filter=english)) == len(expected) + 1
        assert cats.search(Search(words=("zebra",), mode="lexical"))[0][0].id == "new"
        collections.set_alias("felines", "cats")
        assert collections.get("felines").count() == 23
