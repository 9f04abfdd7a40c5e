import json
from pathlib import Path

import numpy as np
import pytest

from training.reports.curves import curve, dev_curve, geometry_path, loss_curves, part_curves, rate_curve, smooth, thin
from training.reports.run import RunRecord, read_run


@pytest.fixture
def long_run(tmp_path: Path) -> RunRecord:
    """As many steps as one epoch of a million sentences, every tenth a caption batch."""
    (tmp_path / "config.json").write_text("{}")
    with (tmp_path / "metrics.jsonl").open("w") as file:
        for step in range(1, 16_001):
            losses = {"loss": 1 / step, "text": 1 / step, "learning_rate": 1e-5, "seconds": step / 10}
            kind = {"kind": "pair", "grounding": 2.0} if step % 10 == 0 else {"kind": "text"}
            file.write(json.dumps({"step": step, **kind, **losses}) + "\n")
            if step % 2000 == 0:
                values = {"dev": 80 - abs(step - 12_000) / 1000, "alignment": 0.2, "uniformity": -2.0}
                file.write(json.dumps({"step": step, **values}) + "\n")
    return read_run(tmp_path)


def test_a_long_run_gives_figures_of_a_moderate_size(long_run: RunRecord) -> None:
    for drawing in (loss_curves(long_run), part_curves(long_run, "text"), rate_curve(long_run)):
        assert len(drawing.svg) < 100_000


def test_the_best_evaluation_is_marked(long_run: RunRecord) -> None:
    assert "best: 80.00 at step 12000" in dev_curve(long_run).svg


def test_the_parts_of_a_loss_are_named(long_run: RunRecord) -> None:
    svg = part_curves(long_run, "pair").svg
    assert ">text<" in svg
    assert ">grounding<" in svg
    assert ">grounding<" not in part_curves(long_run, "text").svg


def test_the_path_of_alignment_and_uniformity_names_its_ends(long_run: RunRecord) -> None:
    svg = geometry_path(long_run).svg
    assert ">step 2000<" in svg
    assert ">step 16000<" in svg


def test_a_run_without_a_step_gives_empty_figures(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    run = read_run(tmp_path)
    for drawing in (loss_curves(run), part_curves(run, "text"), rate_curve(run), dev_curve(run), geometry_path(run)):
        assert ">nothing measured<" in drawing.svg


def test_a_score_that_is_no_number_is_not_drawn(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    lines = ['{"step": 1, "dev": NaN, "alignment": 0.2, "uniformity": NaN}', '{"step": 2, "dev": 50.0}']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    run = read_run(tmp_path)
    assert "best: 50.00 at step 2" in dev_curve(run).svg
    assert "at 0 evaluations" in geometry_path(run).alt


def test_a_curve_takes_the_records_that_have_its_number() -> None:
    steps, values = curve([{"step": 1, "x": 2.0}, {"step": 2}, {"step": 3, "x": 4.0}], "x")
    assert (steps.tolist(), values.tolist()) == ([1, 3], [2.0, 4.0])


def test_thinning_keeps_the_mean_and_smoothing_a_constant() -> None:
    values = np.random.default_rng(0).normal(size=8000)
    steps = np.arange(8000.0)
    thin_steps, thin_values = thin((steps, values))
    assert len(thin_steps) == 400
    assert thin_values.mean() == pytest.approx(values.mean())
    assert thin((steps[:7], values[:7]))[1].tolist() == values[:7].tolist()
    np.testing.assert_allclose(smooth(np.full(100, 3.0)), 3.0)


def test_smoothing_is_the_mean_over_the_window() -> None:
    values = np.random.default_rng(0).normal(size=100)  # a window of 5
    smoothed = smooth(values)
    assert smoothed[50] == pytest.approx(values[48:53].mean())
    assert smoothed[0] == pytest.approx(values[:3].mean())
