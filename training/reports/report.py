"""The report of one run: a page with its facts, curves and scores, the paper's row beside them."""

import json
import math
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from models.files import write_durably
from training.evaluation.sts import STS_SETS
from training.reports import curves
from training.reports.figures import Drawing
from training.reports.page import facts, figures, note, page, preformatted, section, table
from training.reports.paper import SOURCE, nearest_row
from training.reports.results import in_digits
from training.reports.run import RunRecord, measures, read_run

REPORT = "report.html"


def write_report(run: Path) -> Path:
    """Make `report.html` in a run's directory; the run may still be going on.

    Raises:
        TrainingError: it is no run, or a file of it is damaged.
    """
    target = run / REPORT
    write_durably(target, render(read_run(run)).encode())
    return target


def render(run: RunRecord) -> str:
    """The page as HTML."""
    return page(
        f"{run.setting('objective', 'framework')}: {'/'.join(run.path.resolve().parts[-2:])}",
        facts(_facts(run)),
        section("Scores", *_scores(run)),
        section("Retrieval and other scores", *_others(run)),
        section(
            run.dev_name, figures({_dev_caption(run): curves.dev_curve(run), _GEOMETRY: curves.geometry_path(run)})
        ),
        section("Training", figures(dict(_loss_figures(run))), note(_SMOOTHED)),
        section("Configuration", preformatted(as_toml(run.config))),
    )


_SMOOTHED = (
    "Faint: as measured, neighbours averaged where there are many. Strong: the mean over a window around each step."
)
_GEOMETRY = (
    "Alignment against uniformity at each evaluation, dark at the first and bright at the last. Alignment is the mean "
    "squared distance of pairs that mean the same, uniformity tells how evenly sentences fill the sphere (Wang and "
    "Isola 2020)."
)


def as_toml(config: dict[str, Any]) -> str:
    """Settings as a configuration file has them; unset ones as comments."""
    lines: list[str] = []
    for name, settings in config.items():
        lines.append(f"[{name}]")
        lines += [f"# {k} is unset" if v is None else f"{k} = {json.dumps(v)}" for k, v in settings.items()]
        lines.append("")
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))


def _facts(run: RunRecord) -> dict[str, str]:
    environment, machine = run.environment, run.environment.get("machine", {})
    command = environment.get("command", [])
    git = environment.get("git") or {}
    return {
        "state": _state(run),
        "configuration": next((Path(word).name for word in command if word.endswith(".toml")), ""),
        "base": str(run.setting("model", "base")),
        "seed": str(run.seed),
        "training time": duration(run.seconds) if run.seconds is not None else "",
        "started": environment.get("started", ""),
        "command": " ".join(command),
        "code": git.get("commit", "") + (" with changes" if git.get("changed") else ""),
        "versions": _listed({"python": environment.get("python"), **environment.get("versions", {})}),
        "machine": _listed(machine),
    }


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)


def _state(run: RunRecord) -> str:
    if run.finished:
        return f"finished after {run.scores.get('steps', run.steps_done)} steps; the model is of step " + str(
            run.scores.get("kept_step", run.steps_done)
        )
    return f"not finished: {run.steps_done} steps so far"


def _loss_figures(run: RunRecord) -> Iterator[tuple[str, Drawing]]:
    yield "Total loss, text and caption batches apart.", curves.loss_curves(run)
    for kind, label in curves.KINDS.items():
        if any(record.get("kind") == kind for record in run.steps):
            yield f"Parts of the loss of {label}, before their weights.", curves.part_curves(run, kind)
    yield "Learning rate of the encoder.", curves.rate_curve(run)


def _dev_caption(run: RunRecord) -> str:
    kept = run.scores.get("kept_step")
    return "Checkpoints are chosen by this score." if kept is None else f"The model is that of step {kept}."


def _scores(run: RunRecord) -> Iterator[str]:
    row, differences = nearest_row(run.config)
    columns = [*STS_SETS, "average"]
    found, paper = measures(run.scores), row.cells()
    if not found:
        yield note("The run has no final scores yet.")
    yield table(
        ["Spearman x 100", *columns],
        [
            ["this run", *(in_digits(c, found.get(c, math.nan)) for c in columns)],
            [row.name, *(paper[c] for c in columns)],
        ],
    )
    yield note(f"{SOURCE}. All pairs of a set together, cosine similarity.")
    if differences:
        yield note(f"The nearest row, but not the same experiment. Different here: {'; '.join(differences)}.")


def _others(run: RunRecord) -> Iterator[str]:
    found = {name: v for name, v in measures(run.scores).items() if name not in (*STS_SETS, "average")}
    if found:
        yield table(["", *found], [["this run", *(in_digits(name, value) for name, value in found.items())]])
    else:
        yield note("None yet." if not run.finished else "None: the model has no image heads, or there is no such data.")
