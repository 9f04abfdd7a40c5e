import json
import math
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from training.config import TrainConfig
from training.reports.arms import average_figure, geometry_figure, scale_figure
from training.reports.plan import read_sweep
from training.reports.results import ArmResults, read_arm
from training.reports.summary import write_summary

SweepFile = Callable[..., Path]
FinishedRun = Callable[..., Path]
Make = Callable[..., TrainConfig]

TWO_ARMS = 'seeds = [1, 2]\n[arms.simcse]\nobjective.framework = "simcse"\n[arms.mcse]\n'


@pytest.fixture
def output(finished_run: FinishedRun, tmp_path: Path) -> Path:
    """Two arms with two seeds; mcse is better by 1 and by 3."""
    for name, averages in (("simcse", (70.0, 71.0)), ("mcse", (71.0, 74.0))):
        for seed, average in enumerate(averages, start=1):
            path = tmp_path / "out" / name / f"seed-{seed}"
            finished_run(path, average=average, retrieval={"recall@1": 20.0}, alignment=0.2, uniformity=-2.0)
    return tmp_path / "out"


def test_a_summary_says_the_same_in_json_table_and_page(sweep_file: SweepFile, output: Path) -> None:
    """Pitfall 23: seeds differ by points, so an arm is told with its mean and deviation over several."""
    write_summary(read_sweep(sweep_file(TWO_ARMS)), output, {})
    summary = json.loads((output / "summary.json").read_text())
    assert summary["arms"]["mcse"]["mean"]["average"] == 72.5
    assert summary["arms"]["mcse"]["deviation"]["average"] == pytest.approx(2.1213, abs=1e-4)
    assert summary["arms"]["simcse"]["runs"]["2"]["STS12"] == 71.0
    table, page = (output / "table.md").read_text(), (output / "report.html").read_text()
    for cell in ("72.50 ± 2.12", "70.50 ± 0.71", "20.00 ± 0.00", "-2.000 ± 0.000", "+2.00 (-10.71 to +14.71)"):
        assert f"| {cell} " in table
        assert f"<td>{cell}</td>" in page
    assert "mcse − simcse | 2 |" in table
    assert "is wide with few seeds" in table


def test_figures_stand_in_the_page_and_in_files(sweep_file: SweepFile, output: Path) -> None:
    write_summary(read_sweep(sweep_file(TWO_ARMS)), output, {})
    assert {path.name for path in output.glob("*.svg")} == {"average.svg", "alignment_uniformity.svg"}
    for path in output.glob("*.svg"):
        ElementTree.parse(path)  # noqa: S314  (our own)
    assert (output / "report.html").read_text().count("<svg") == 2


def test_a_sweep_that_has_only_begun_has_a_summary(sweep_file: SweepFile, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_summary(read_sweep(sweep_file(TWO_ARMS)), tmp_path / "out", {})
    assert "| simcse | 0 of 2 | – |" in (tmp_path / "out" / "table.md").read_text()
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["arms"]["mcse"]["mean"]["average"] is None


def test_a_measure_that_is_no_number_is_a_dash_and_never_in_the_json(
    sweep_file: SweepFile, finished_run: FinishedRun, output: Path
) -> None:
    for seed in (3, 4):
        finished_run(output / "mcse" / f"seed-{seed}", average=70.0, alignment=math.nan, uniformity=-2.0)
    write_summary(read_sweep(sweep_file(TWO_ARMS.replace("[1, 2]", "[3, 4]"))), output, {})
    assert "| mcse | -2.000 ± 0.000 |" in (output / "table.md").read_text()
    assert "NaN" not in (output / "summary.json").read_text()


def test_what_failed_is_told(sweep_file: SweepFile, output: Path) -> None:
    write_summary(read_sweep(sweep_file(TWO_ARMS)), output, {"mcse/seed-2": "the loss is nan <here>"})
    assert "- mcse/seed-2: the loss is nan <here>" in (output / "table.md").read_text()
    assert "the loss is nan &lt;here&gt;" in (output / "report.html").read_text()
    assert json.loads((output / "summary.json").read_text())["failed"] == {"mcse/seed-2": "the loss is nan <here>"}


def test_an_arm_that_repeats_the_paper_stands_beside_its_row(
    sweep_file: SweepFile, base_file: Callable[..., Path], output: Path
) -> None:
    sweep = sweep_file(TWO_ARMS)
    base_file(
        model={"base": "bert-base-uncased", "pooling": "cls"},
        data={"text": "wiki1m_for_simcse.txt", "captions": "flickr30k/captions.txt"},
        schedule={"max_steps": None},
    )
    write_summary(read_sweep(sweep), output, {})
    table = (output / "table.md").read_text()
    assert table.count("| paper: MCSE-BERT, Wikipedia + Flickr30k | 5 | 71.4 ± 0.9 |") == 1
    assert "Zhang et al." in table


def test_a_seed_that_the_sweep_no_longer_has_is_left_out(sweep_file: SweepFile, output: Path) -> None:
    write_summary(read_sweep(sweep_file(TWO_ARMS.replace("[1, 2]", "[2]"))), output, {})
    assert "| mcse | 1 of 1 | 74.00 |" in (output / "table.md").read_text()


def scale(tiny_run: Make, pairs: dict[str, int | None]) -> tuple[list[ArmResults], dict[str, TrainConfig]]:
    arms = [ArmResults(name, {1: {"average": 70.0 + n}, 2: {"average": 71.0 + n}}) for n, name in enumerate(pairs)]
    return arms, {name: tiny_run(ablation={"pairs": count}) for name, count in pairs.items()}


def test_arms_that_differ_in_pairs_alone_make_a_data_scale_figure(tiny_run: Make) -> None:
    drawing = scale_figure(*scale(tiny_run, {"mcse-pairs=100": 100, "mcse-pairs=1000": 1000, "mcse": None}))
    assert drawing is not None
    assert drawing.alt == "STS average against the number of pairs: mcse"
    for tick in (">100<", ">1,000<", ">all<", ">mcse<"):
        assert tick in drawing.svg


def test_each_framework_has_a_line_of_its_own(tiny_run: Make) -> None:
    arms, configs = scale(tiny_run, {"mcse-100": 100, "mcse-1000": 1000})
    more, simcse = scale(tiny_run, {"simcse-100": 100, "simcse-1000": 1000})
    for name, config in simcse.items():
        simcse[name] = tiny_run(ablation={"pairs": config.ablation.pairs}, objective={"framework": "simcse"})
    drawing = scale_figure([*arms, *more], configs | simcse)
    assert drawing is not None
    assert drawing.alt.endswith("pairs: mcse, simcse")


def test_arms_that_differ_in_more_make_none(tiny_run: Make) -> None:
    arms, configs = scale(tiny_run, {"a": 100, "b": 1000})
    configs["b"] = tiny_run(ablation={"pairs": 1000}, optimizer={"learning_rate": 0.5})
    assert scale_figure(arms, configs) is None
    assert scale_figure([], {}) is None
    assert average_figure([]) is None
    assert geometry_figure(arms) is None


def test_the_average_figure_has_a_row_per_arm(output: Path) -> None:
    drawing = average_figure([read_arm(output / name) for name in ("simcse", "mcse")])
    assert drawing is not None
    assert drawing.alt == "STS average per arm: simcse 70.50 ± 0.71, mcse 72.50 ± 2.12"
    assert ">simcse<" in drawing.svg
