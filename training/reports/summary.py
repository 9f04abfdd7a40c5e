"""What a sweep found so far: `summary.json`, `table.md`, figures and `report.html` in its directory."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.files import write_durably
from training.evaluation.sts import STS_SETS
from training.reports.arms import average_figure, geometry_figure, scale_figure
from training.reports.figures import Drawing
from training.reports.intervals import Interval
from training.reports.page import figures, links, note, page, section, table
from training.reports.paper import SOURCE, nearest_row
from training.reports.plan import Sweep
from training.reports.report import REPORT
from training.reports.results import OVER_SEEDS, ArmResults, measure_names, paired, read_arm
from training.reports.tables import Table, difference_table, other_table, similarity_table

_SPEARMAN = "Spearman x 100 over all pairs of a set; mean ± sample standard deviation over seeds."


def write_summary(sweep: Sweep, output: Path, failed: Mapping[str, str]) -> None:
    """Draw everything from the runs that are finished.

    Args:
        sweep: its arms, in the order of the table.
        output: the directory of the sweep.
        failed: runs that could not be finished, and why.

    Raises:
        TrainingError: a file of a run is damaged.
    """
    arms = [read_arm(output / arm, sweep.seeds) for arm in sweep.arms]
    drawings = _drawings(sweep, arms)
    for name, drawing in drawings.items():
        drawing.save(output / name)
    tables = _tables(sweep, arms)
    write_durably(output / "summary.json", json.dumps(_summary(sweep, arms, failed), indent=2).encode() + b"\n")
    write_durably(output / "table.md", _markdown(sweep, tables, failed).encode())
    write_durably(output / REPORT, _page(sweep, output, tables, drawings, failed).encode())


def _tables(sweep: Sweep, arms: Sequence[ArmResults]) -> dict[str, tuple[Table, str]]:
    """Heading to table and what its numbers mean."""
    scores = similarity_table(arms, len(sweep.seeds))
    scores.rows.extend(_paper_rows(sweep))
    found = {"Similarity": (scores, _SPEARMAN)}
    if (others := other_table(arms)) is not None:
        found["Other measures"] = (others, "Mean ± sample standard deviation over seeds.")
    if differences := _differences(arms):
        found[f"Difference from {arms[0].name}, paired by seed"] = (
            difference_table(differences),
            f"In brackets: {OVER_SEEDS[0].lower()}{OVER_SEEDS[1:]}",
        )
    return found


def _differences(arms: Sequence[ArmResults]) -> dict[str, dict[str, Interval]]:
    """Every arm minus the first, over the seeds that both have."""
    first = arms[0]
    return {
        f"{arm.name} − {first.name}": paired(first, arm)
        for arm in arms[1:]
        if arm.by_seed.keys() & first.by_seed.keys()
    }


def _paper_rows(sweep: Sweep) -> list[list[str]]:
    """Rows of the paper that an arm repeats."""
    rows = [nearest_row(run.config.to_dict()) for run in sweep.runs]
    same = {row.name: row.cells() for row, differences in rows if not differences}
    return [[f"paper: {name}", "5", *(cells[c] for c in (*STS_SETS, "average"))] for name, cells in same.items()]


def _drawings(sweep: Sweep, arms: Sequence[ArmResults]) -> dict[str, Drawing]:
    configs = {run.arm: run.config for run in sweep.runs if run.seed == sweep.seeds[0]}
    made = {
        "average.svg": average_figure(arms),
        "data_scale.svg": scale_figure(arms, configs),
        "alignment_uniformity.svg": geometry_figure(arms),
    }
    return {name: drawing for name, drawing in made.items() if drawing is not None}


def _summary(sweep: Sweep, arms: Sequence[ArmResults], failed: Mapping[str, str]) -> dict[str, Any]:
    names = measure_names(arms)
    return {
        "sweep": sweep.name,
        "seeds": sweep.seeds,
        "arms": {
            arm.name: {
                "runs": arm.by_seed,
                "mean": {name: arm.mean(name) for name in names},
                "deviation": {name: arm.deviation(name) for name in names},
            }
            for arm in arms
        },
        "failed": failed,
    }


def _markdown(sweep: Sweep, tables: Mapping[str, tuple[Table, str]], failed: Mapping[str, str]) -> str:
    parts = [f"# {sweep.name}"]
    for heading, (found, meaning) in tables.items():
        parts += [f"## {heading}", found.markdown(), meaning]
    if any(row[0].startswith("paper: ") for row in tables["Similarity"][0].rows):
        parts.append(f"{SOURCE}.")
    if failed:
        parts += ["## Failed", "\n".join(f"- {name}: {why}" for name, why in failed.items())]
    return "\n\n".join(parts) + "\n"


def _page(
    sweep: Sweep,
    output: Path,
    tables: Mapping[str, tuple[Table, str]],
    drawings: Mapping[str, Drawing],
    failed: Mapping[str, str],
) -> str:
    reports = {run.name: f"{run.name}/{REPORT}" for run in sweep.runs if (output / run.name / REPORT).exists()}
    captions = {_CAPTIONS[name]: drawing for name, drawing in drawings.items()}
    return page(
        f"sweep: {sweep.name}",
        *(section(head, table(found.header, found.rows), note(meaning)) for head, (found, meaning) in tables.items()),
        section("Figures", figures(captions)),
        section("Failed", table(["run", "why"], failed.items())) if failed else "",
        section("Runs", links(reports)),
    )


_CAPTIONS = {
    "average.svg": "STS average: a point per seed, the diamond their mean, the bar a standard deviation to each side.",
    "data_scale.svg": "STS average against the number of pairs; bars are standard deviations over seeds.",
    "alignment_uniformity.svg": "On the dev pairs: small points are seeds, large ones the means of their arms.",
}
