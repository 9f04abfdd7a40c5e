"""Sweeps in the tiny world: they finish, they stop and go on, and they leave finished runs alone."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.progress import Display
from training.reports.plan import read_sweep
from training.reports.sweep import redraw, run_sweep

SweepFile = Callable[..., Path]
ARMS = 'seeds = [1, 2]\n[arms.simcse]\nobjective.framework = "simcse"\n[arms.mcse]\n'
RUNS = ("simcse/seed-1", "mcse/seed-1", "simcse/seed-2", "mcse/seed-2")
SHORT = {"batch_size": 16, "pair_every": 2, "epochs": 100, "max_steps": 4}


def command(sweep: Path, output: Path, data: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "training", "sweep", str(sweep), "--output", str(output), "--data", str(data), *more]


def state_of(directory: Path) -> dict[str, int]:
    """When each file was last written; the report may be drawn again."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.name != "report.html")
    return {str(path): path.stat().st_mtime_ns for path in files}


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    while not path.exists():
        assert process.poll() is None, f"ended before {path} was there"
        time.sleep(0.005)


@pytest.fixture
def sweeping() -> Iterator[Callable[[list[str]], "subprocess.Popen[str]"]]:
    """Start a sweep in the background; what is left of it is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(arguments: list[str]) -> "subprocess.Popen[str]":
        started.append(subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_every_arm_is_trained_with_every_seed_and_reported(
    sweep_file: SweepFile, world: Path, tmp_path: Path, display: Display
) -> None:
    sweep = read_sweep(sweep_file(ARMS, schedule=SHORT))
    outcome = run_sweep(sweep, output=tmp_path / "out", data=world, display=display)
    assert (outcome.failed, outcome.interrupted) == ({}, False)
    for run in RUNS:
        assert (tmp_path / "out" / run / "bundle" / "mcse.json").exists()
        assert (tmp_path / "out" / run / "report.html").exists()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert {arm: list(found["runs"]) for arm, found in summary["arms"].items()} == {
        "simcse": ["1", "2"],
        "mcse": ["1", "2"],
    }


def test_finished_runs_are_left_alone_and_new_arms_join_them(
    sweep_file: SweepFile, world: Path, tmp_path: Path, display: Display
) -> None:
    def sweep(text: str) -> None:
        planned = read_sweep(sweep_file(text, schedule=SHORT))
        assert run_sweep(planned, output=tmp_path / "out", data=world, display=display).failed == {}

    sweep("seeds = [1]\n[arms.mcse]\n")
    before = state_of(tmp_path / "out" / "mcse")
    sweep("seeds = [1]\n[arms.mcse]\n[arms.slow]\noptimizer.learning_rate = 1e-5\n")
    assert state_of(tmp_path / "out" / "mcse") == before
    assert (tmp_path / "out" / "slow" / "seed-1" / "bundle").exists()


def test_a_run_with_other_settings_is_refused_by_name_before_anything_is_trained(
    sweep_file: SweepFile, world: Path, tmp_path: Path, display: Display
) -> None:
    run_sweep(
        read_sweep(sweep_file("seeds = [1]\n[arms.mcse]\n", schedule=SHORT)),
        output=tmp_path / "out",
        data=world,
        display=display,
    )
    changed = read_sweep(sweep_file("seeds = [1]\n[arms.new]\n[arms.mcse]\nmodel.projection = 4\n", schedule=SHORT))
    with pytest.raises(TrainingError, match=r"mcse/seed-1: .*other settings \(model\.projection\)"):
        run_sweep(changed, output=tmp_path / "out", data=world, display=display)
    with pytest.raises(TrainingError, match="other settings"):
        redraw(changed, tmp_path / "out")
    assert not (tmp_path / "out" / "new").exists()


@pytest.mark.slow
def test_a_run_that_fails_does_not_stop_the_others(sweep_file: SweepFile, world: Path, tmp_path: Path) -> None:
    sweep = sweep_file('seeds = [1]\n[arms.broken]\ndata.text = "none.txt"\n[arms.mcse]\n', schedule=SHORT)
    done = subprocess.run(command(sweep, tmp_path / "out", world), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "broken/seed-1 failed:" in done.stderr
    assert "Traceback" not in done.stderr
    table = (tmp_path / "out" / "table.md").read_text()
    assert "| mcse | 1 of 1 |" in table
    assert "| broken | 0 of 1 |" in table
    assert "- broken/seed-1: " in table
    assert done.stdout.strip() == table.strip()
    (world / "none.txt").write_text((world / "text.txt").read_text())  # the cure: the same call trains what failed
    again = subprocess.run(command(sweep, tmp_path / "out", world), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "## Failed" not in (tmp_path / "out" / "table.md").read_text()


def test_what_a_sweep_asks_for_is_checked_before_its_first_run(
    sweep_file: SweepFile, world: Path, tmp_path: Path
) -> None:
    sweep = sweep_file("seeds = [1]\n[arms.mcse]\n[arms.wrong]\noptimizer.learning_rate = -1.0\n")
    done = subprocess.run(command(sweep, tmp_path / "out", world), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "arm wrong: optimizer.learning_rate" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on_where_it_was(
    sweep_file: SweepFile, world: Path, tmp_path: Path, sweeping: Callable[[list[str]], "subprocess.Popen[str]"]
) -> None:
    long = {**SHORT, "max_steps": 200}
    sweep, output = sweep_file(ARMS, schedule=long, evaluation={"every": 10}), tmp_path / "out"
    process = sweeping(command(sweep, output, world))
    wait_for(output / RUNS[1] / "state.pt", process)
    process.kill()
    process.wait()
    assert (output / RUNS[0] / "bundle").exists()
    assert not (output / RUNS[1] / "bundle").exists()
    finished, environment = state_of(output / RUNS[0]), (output / RUNS[1] / "config.json").stat().st_mtime_ns

    done = subprocess.run(command(sweep, output, world), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert state_of(output / RUNS[0]) == finished
    assert (output / RUNS[1] / "config.json").stat().st_mtime_ns == environment  # resumed, not begun again
    for run in RUNS:
        records = [json.loads(line) for line in (output / run / "metrics.jsonl").read_text().splitlines()]
        assert [record["step"] for record in records if "loss" in record] == list(range(1, 201))
    table = (output / "table.md").read_text()
    assert "| simcse | 2 of 2 |" in table
    assert "| mcse | 2 of 2 |" in table


@pytest.mark.slow
def test_ctrl_c_stops_after_the_step_under_way_and_the_same_call_goes_on(
    sweep_file: SweepFile, world: Path, tmp_path: Path, sweeping: Callable[[list[str]], "subprocess.Popen[str]"]
) -> None:
    sweep = sweep_file("seeds = [1]\n[arms.mcse]\n[arms.other]\n", schedule={**SHORT, "max_steps": 300})
    output = tmp_path / "out"
    process = sweeping(command(sweep, output, world))
    wait_for(output / "mcse" / "seed-1" / "state.pt", process)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Go on with: mcse sweep" in told
    assert "Traceback" not in told
    assert not (output / "other").exists()
    assert "| mcse | 0 of 1 |" in (output / "table.md").read_text()
    done = subprocess.run(command(sweep, output, world), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| other | 1 of 1 |" in (output / "table.md").read_text()


@pytest.mark.slow
def test_two_sweeps_do_not_work_in_one_directory(
    sweep_file: SweepFile,
    world: Path,
    tmp_path: Path,
    display: Display,
    sweeping: Callable[[list[str]], "subprocess.Popen[str]"],
) -> None:
    sweep = sweep_file("seeds = [1]\n[arms.mcse]\n", schedule={**SHORT, "max_steps": 4000})
    process = sweeping(command(sweep, tmp_path / "out", world))
    wait_for(tmp_path / "out" / "mcse" / "seed-1" / "state.pt", process)
    with pytest.raises(TrainingError, match="another sweep is at work there"):
        run_sweep(read_sweep(sweep), output=tmp_path / "out", data=world, display=display)


def test_the_table_alone_is_drawn_again_from_what_is_there(
    sweep_file: SweepFile, finished_run: Callable[..., Path], world: Path, tmp_path: Path
) -> None:
    sweep = sweep_file("seeds = [42]\n[arms.tiny]\n")
    finished_run(tmp_path / "out" / "tiny" / "seed-42", average=71.5)
    done = subprocess.run(
        command(sweep, tmp_path / "out", world, "--table-only"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| tiny | 1 of 1 | 71.50 |" in done.stdout
    assert (tmp_path / "out" / "average.svg").exists()


def test_an_interrupt_outside_the_steps_leaves_a_sweep_that_goes_on(
    sweep_file: SweepFile, world: Path, tmp_path: Path, display: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.reports import sweep as module

    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    planned = read_sweep(sweep_file("seeds = [1]\n[arms.a]\n[arms.b]\n", schedule=SHORT))
    with monkeypatch.context() as patch:
        patch.setattr(module, "train", interrupted)
        assert run_sweep(planned, output=tmp_path / "out", data=world, display=display).interrupted
    outcome = run_sweep(planned, output=tmp_path / "out", data=world, display=display)
    assert (outcome.failed, outcome.interrupted) == ({}, False)
