import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.config import TrainConfig
from training.errors import TrainingError
from training.evaluation.sts import STS_SETS
from training.progress import Display
from training.reports.run import measures, read_run
from training.train import train

Make = Callable[..., TrainConfig]


def test_a_finished_run_is_read_back_whole(tiny_run: Make, world: Path, tmp_path: Path, display: Display) -> None:
    result = train(tiny_run(), output=tmp_path / "run", data=world, resume=False, display=display)
    assert result is not None
    run = read_run(tmp_path / "run")
    assert run.finished
    assert (run.seed, run.steps_done) == (42, 12)
    assert [record["step"] for record in run.evaluations] == [4, 8, 12]
    assert measures(run.scores)["average"] == pytest.approx(result.scores.sts_average)
    assert run.scores["kept_step"] in (4, 8, 12)


def test_a_run_that_was_killed_while_writing_is_read_up_to_there(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"run": {"seed": 7}}')
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 1, "kind": "text", "loss": 2.0, "seconds": 0.5}\n{"step": 1, "dev": 70.0}\n{"step": 2, "ki'
    )
    run = read_run(tmp_path)
    assert (run.finished, run.seed, run.steps_done, run.seconds) == (False, 7, 1, 0.5)
    assert run.evaluations == [{"step": 1, "dev": 70.0}]
    assert measures(run.scores) == {}


def test_a_run_that_has_only_begun_is_a_run(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    run = read_run(tmp_path)
    assert (run.steps, run.evaluations, run.seed, run.seconds, run.steps_done) == ([], [], None, None, 0)


def test_scores_that_stand_only_in_the_bundle_are_found(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "bundle").mkdir()
    card = {"scores": {"sts": {}, "sts_average": 71.0}, "training": {"kept_step": 4, "dev": 80.0, "config": {}}}
    (tmp_path / "bundle" / "mcse.json").write_text(json.dumps(card))
    assert measures(read_run(tmp_path).scores) == {"average": 71.0, "dev": 80.0}


def test_alignment_and_uniformity_are_those_of_the_kept_step(finished_run: Callable[..., Path], tmp_path: Path) -> None:
    path = finished_run(tmp_path / "run", kept_step=8)
    evaluations = [{"step": n, "dev": 70, "alignment": n / 100, "uniformity": -n / 10} for n in (4, 8, 12)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(e) + "\n" for e in evaluations))
    found = measures(read_run(path).scores)
    assert (found["alignment"], found["uniformity"]) == (0.08, -0.8)


def test_measures_come_in_the_order_of_a_table() -> None:
    scores: dict[str, Any] = {
        "dev": 80.0,
        "image_to_text": {"median_rank": 3.0},
        "retrieval": {"recall@1": 20.0},
        "without_captions": {"STS12": 70.0, "average": 70.0},
        "geometry": {"STSB": {"whole": {"alignment": 9, "uniformity": 9}}, "STSB-dev": {"whole": {"alignment": 0.2}}},
        "sts_average": 75.0,
        "sts": {name: 75.0 for name in STS_SETS},
        "transfer": {"MR": 81.0},
        "kept_step": 4,
    }
    assert list(measures(scores)) == [
        *STS_SETS,
        "average",
        "average without captions",
        "text-to-image recall@1",
        "image-to-text median_rank",
        "MR",
        "dev",
        "alignment",
    ]
    assert measures(scores)["alignment"] == 0.2


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("config.json", None, "no run is there"),
        ("config.json", "{", "not JSON"),
        ("config.json", "[]", "expected a JSON object"),
        ("config.json", '{"model_type": "bert"}', "not the settings of a run"),
        ("metrics.jsonl", '{"step": 1}\nrubbish\n{"step": 2}\n', "line 2: no record of a step"),
        ("metrics.jsonl", '{"loss": 1.0}\n', "line 1: no record of a step"),
    ],
)
def test_what_is_no_run_is_told_by_file(tmp_path: Path, name: str, content: str | None, told: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)
    with pytest.raises(TrainingError, match=told) as raised:
        read_run(tmp_path)
    assert str(tmp_path) in str(raised.value)
