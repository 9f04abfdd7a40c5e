import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models import load
from models.shipped import SHIPPED
from training.config import TrainConfig
from training.errors import TrainingError
from training.evaluation.sts import STS_SETS, rank_correlation, read_set
from training.progress import Display
from training.reports.compare import compare, cosines_of
from training.train import train

Make = Callable[..., TrainConfig]
FinishedRun = Callable[..., Path]


@pytest.fixture
def arms(finished_run: FinishedRun, tmp_path: Path) -> Path:
    """simcse with 70, 71, 72 and mcse with 71, 73, 75: differences 1, 2, 3."""
    for seed in range(3):
        finished_run(tmp_path / "simcse" / f"seed-{seed}", average=70.0 + seed)
        finished_run(tmp_path / "mcse" / f"seed-{seed}", average=71.0 + 2 * seed)
    return tmp_path


@pytest.fixture
def trained(tiny_run: Make, world: Path, tmp_path: Path, display: Display) -> tuple[Path, Path]:
    """Two real runs, one much longer than the other."""
    for name, steps in (("short", 1), ("long", 120)):
        schedule = {"batch_size": 16, "pair_every": 2, "epochs": 100, "max_steps": steps}
        config = tiny_run(schedule=schedule, evaluation={"every": 40})
        assert train(config, output=tmp_path / name, data=world, resume=False, display=display) is not None
    return tmp_path / "short", tmp_path / "long"


def test_arms_are_compared_seed_by_seed(arms: Path, display: Display) -> None:
    found = compare(arms / "simcse", arms / "mcse", data=arms, resamples=100, display=display)
    average = found.differences["average"]
    assert average.difference == pytest.approx(2.0)
    assert average.count == 3
    assert average.high == pytest.approx(2 + 4.302653 / math.sqrt(3), abs=1e-6)
    assert "nothing of other data" in found.meaning


def test_two_models_are_compared_pair_by_pair(trained: tuple[Path, Path], world: Path, display: Display) -> None:
    short, long = trained
    found = compare(short, long, data=world, resamples=200, display=display)
    told = [json.loads((run / "bundle" / "mcse.json").read_text())["scores"]["sts"]["STSB"] for run in trained]
    assert found.differences["STSB"].difference == pytest.approx(told[1] - told[0], abs=1e-4)
    assert found.differences["STSB"].low < told[1] - told[0] < found.differences["STSB"].high
    assert found.differences["STSB"].count == 60
    bundles = compare(short / "bundle", long / "bundle", data=world, resamples=200, display=display)
    assert bundles.differences["STSB"] == found.differences["STSB"]
    assert found.differences["average"].count == 7 * 60
    assert math.isnan(found.differences["dev"].low)
    assert "other seeds" in found.meaning
    turned = compare(long, short, data=world, resamples=200, display=display)
    assert turned.differences["STSB"].low == pytest.approx(-found.differences["STSB"].high)


def test_cosines_are_those_of_the_model(trained: tuple[Path, Path], world: Path) -> None:
    found = cosines_of(trained[0] / "bundle", {"STSB": read_set("STSB", world)})["STSB"]
    assert found.shape == (60,)
    assert np.abs(found).max() <= 1 + 1e-5
    same = [a == b for a, b in zip(read_set("STSB", world).first, read_set("STSB", world).second, strict=True)]
    np.testing.assert_allclose(found[same], 1, atol=1e-5)


@pytest.mark.data
@pytest.mark.slow
def test_the_shipped_models_cosines_have_its_score(data: Path) -> None:
    pairs = read_set("STSB", data)
    found = rank_correlation(cosines_of(SHIPPED, {"STSB": pairs})["STSB"], pairs.gold)
    assert found == pytest.approx(load(SHIPPED).card["scores"]["sts"]["STSB"], abs=0.01)


def test_scores_alone_have_a_difference_without_interval(tmp_path: Path, display: Display) -> None:
    for name, score in (("a", 70.0), ("b", 71.5)):
        content = {"sts": dict.fromkeys(STS_SETS, score), "sts_average": score}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    found = compare(tmp_path / "a.json", tmp_path / "b.json", data=tmp_path, resamples=100, display=display)
    assert found.differences["average"].difference == pytest.approx(1.5)
    assert math.isnan(found.differences["average"].low)
    assert "No interval" in found.meaning
    assert json.loads(json.dumps(found.to_dict()))["second_minus_first"]["average"]["low"] is None


def test_what_cannot_be_compared_is_told(arms: Path, finished_run: FinishedRun, display: Display) -> None:
    def told(first: Path, second: Path) -> str:
        with pytest.raises(TrainingError) as raised:
            compare(first, second, data=arms, resamples=100, display=display)
        return str(raised.value)

    single = finished_run(arms / "single")
    assert "one is an arm with several seeds" in told(arms / "mcse", single)
    assert "no scores there" in told(arms / "nothing", single)
    (arms / "other.json").write_text('{"sts": {}}')
    assert "it has no scores" in told(single, arms / "other.json")
    (single / "scores.json").unlink()
    assert "it has no scores" in told(single, arms / "single")
    finished_run(arms / "apart" / "seed-7")
    assert "none in common" in told(arms / "mcse", arms / "apart")


@pytest.mark.slow
def test_the_command_prints_a_table_or_json(arms: Path) -> None:
    command = [sys.executable, "-m", "training", "compare", str(arms / "simcse"), str(arms / "mcse")]
    table = subprocess.run(command, capture_output=True, text=True, check=False)
    assert table.returncode == 0, table.stderr
    row = next(line for line in table.stdout.splitlines() if "average" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["average", "+2.00", "-0.48", "+4.48", "3"]
    assert "95 % t-interval" in table.stdout
    as_json = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    found = json.loads(as_json.stdout)
    assert found["second_minus_first"]["average"]["difference"] == 2.0
    assert found["second"] == str(arms / "mcse")
