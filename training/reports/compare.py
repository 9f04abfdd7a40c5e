"""Compare two arms of a sweep seed by seed, or two models sentence pair by sentence pair."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models import load
from models.manifest import CARD
from training.errors import TrainingError
from training.evaluation.evaluator import Evaluator
from training.evaluation.saved import FILE, read_scores
from training.evaluation.sts import STS_SETS, IndexedPairs, Pairs, cosines, read_set, unit
from training.progress import Display
from training.reports.intervals import Floats, Interval, Judged, bootstrap, paired_t
from training.reports.results import OVER_SEEDS, ArmResults, paired, read_arm
from training.reports.run import measures, read_run, scores_of_bundle

_OVER_PAIRS = (
    "The 95 % interval of the difference over resampled sentence pairs says how far the choice of test pairs may carry "
    "it for these two models; it does not say that other seeds would give the same."
)
_NO_INTERVAL = "No interval: one seed each, and not both models are there to judge the sentence pairs again."


@dataclass(frozen=True, slots=True)
class Comparison:
    """B minus A."""

    first: str
    second: str
    differences: dict[str, Interval]
    unit: str
    """What an interval counts: seeds or sentence pairs"""
    meaning: str
    """What the intervals say and what not"""

    def to_dict(self) -> dict[str, Any]:
        """For JSON; an interval that is not known is null."""
        return {
            "first": self.first,
            "second": self.second,
            "second_minus_first": {name: _known(interval) for name, interval in self.differences.items()},
            "meaning": self.meaning,
        }


def _known(interval: Interval) -> dict[str, float | None]:
    return {key: None if math.isnan(value) else value for key, value in asdict(interval).items()}


@dataclass(frozen=True, slots=True)
class Single:
    """One model, or only its scores."""

    measures: dict[str, float]
    bundle: Path | None


def compare(first: Path, second: Path, *, data: Path, resamples: int, display: Display) -> Comparison:
    """How much better the second is than the first, and how sure that is.

    Args:
        first: a run's directory, its bundle, an arm of a sweep (a folder of `seed-*`), or scores of `mcse evaluate`.
        second: likewise.
        data: the folder of evaluation data, read where two models are compared pair by pair.
        resamples: of the bootstrap.
        display: shows progress.

    Raises:
        TrainingError: one is none of these, or they cannot be compared.
        DataError: evaluation data is missing or malformed.
        CheckpointError: a bundle is damaged.
    """
    one, other = read_side(first), read_side(second)
    if isinstance(one, ArmResults) and isinstance(other, ArmResults):
        return Comparison(str(first), str(second), paired(one, other), "seeds", OVER_SEEDS)
    if isinstance(one, Single) and isinstance(other, Single):
        if one.bundle is None or other.bundle is None:
            return Comparison(str(first), str(second), _plain(one, other), "seeds", _NO_INTERVAL)
        differences = _plain(one, other) | _judged(one.bundle, other.bundle, data, resamples, display)
        return Comparison(str(first), str(second), differences, "pairs", _OVER_PAIRS)
    raise TrainingError(
        f"{first} and {second}: one is an arm with several seeds, the other a single model. Compare arm with arm, or "
        "run with run."
    )


def read_side(path: Path) -> ArmResults | Single:
    """What stands at a path.

    Raises:
        TrainingError: nothing that has scores.
    """
    if (path / CARD).is_file():
        return Single(_measures_of(path, scores_of_bundle(path)), path)
    if (path / "config.json").is_file():
        run = read_run(path)
        return Single(_measures_of(path, run.scores), path / "bundle" if run.finished else None)
    if path.is_file() or (path / FILE).is_file():
        return Single(_measures_of(path, read_scores(path)), None)
    arm = read_arm(path)
    if not arm.by_seed:
        raise TrainingError(
            f"{path}: no scores there. Name a run, a bundle, an arm of a sweep with finished seed-* runs, or "
            "the scores that mcse evaluate --output wrote."
        )
    return arm


def _measures_of(path: Path, scores: Mapping[str, Any]) -> dict[str, float]:
    try:
        found = measures(scores)
    except KeyError as error:
        raise TrainingError(f"{path}: the scores have no {error}. Make them again with mcse evaluate.") from error
    if not found:
        raise TrainingError(
            f"{path}: it has no scores. Finish it with mcse train --resume, or score it with mcse evaluate."
        )
    return found


def _plain(one: Single, other: Single) -> dict[str, Interval]:
    names = [name for name in one.measures if name in other.measures]
    return {name: paired_t([other.measures[name] - one.measures[name]]) for name in names}


def _judged(first: Path, second: Path, data: Path, resamples: int, display: Display) -> dict[str, Interval]:
    """Both models on the pairs of every set."""
    sets = {name: read_set(name, data) for name in STS_SETS}
    with display.evaluating() as line:
        line.on_set("the first model")
        one = cosines_of(first, sets)
        line.on_set("the second model")
        other = cosines_of(second, sets)
        line.on_set("resamples")
        judged = {name: Judged(one[name], other[name], pairs.gold) for name, pairs in sets.items()}
        return bootstrap(judged, resamples=resamples)


def cosines_of(bundle: Path, sets: Mapping[str, Pairs]) -> dict[str, Floats]:
    """Cosine of each sentence pair of each set, (n,), by a model.

    Raises:
        CheckpointError: the model cannot be opened.
    """
    model = load(bundle)
    encode = Evaluator(model.model, model.tokenizer, Path()).encode
    indexed = {name: IndexedPairs.of(pairs) for name, pairs in sets.items()}
    return {name: cosines(rows, unit(encode(rows.sentences))) for name, rows in indexed.items()}
