"""A training run from top to bottom: prepare, build, loop, export.

A step: the schedule says which batches come; the corpus gives their token ids, with image features for a caption
batch; the objective makes two dropout views, their losses and gradients; AdamW steps and the rates decay. Every few
steps STS-B dev is scored, the best weights are kept and the state of the run is written, so that it can go on after
any stop.
"""

import math
import os
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from safetensors import SafetensorError
from torch.nn.utils import clip_grad_norm_

from training.checkpoint import Progress, load_best, load_state, save_best
from training.config import TrainConfig
from training.environment import environment
from training.errors import TrainingError
from training.evaluation.scores import Scores
from training.export import export
from training.interrupt import stop_on_interrupt
from training.objective.encode import derived_seed
from training.processes import Processes
from training.progress import Display
from training.record import Recorder
from training.run import Run, build
from training.rundir import RunDirectory
from training.schedule import PlannedBatch


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished run leaves."""

    bundle: Path
    progress: Progress
    scores: Scores


class NotFiniteError(TrainingError):
    """A loss or gradient is NaN or infinite; the weights were not touched by it."""


def default_cache() -> Path:
    """Where token files are kept: `MCSE_CACHE`, else the user's cache folder."""
    return Path(os.environ.get("MCSE_CACHE", Path.home() / ".cache" / "mcse"))


def train(
    config: TrainConfig, *, output: Path, data: Path, resume: bool, display: Display, cache: Path | None = None
) -> Result | None:
    """Train, evaluate and export a model.

    Args:
        config: the run.
        output: the directory it writes; see `training.rundir`.
        data: the folder that relative data paths start from; it also holds the evaluation data.
        resume: go on from where the run in `output` stopped.
        display: shows progress.
        cache: folder of token files; None takes the default.

    Returns:
        The result; None where the run was interrupted and can be resumed, and in every process but the first.

    Raises:
        ConfigError, DataError, CheckpointError: something does not fit; nothing was trained.
        TrainingError: the run cannot start in this directory, cannot be saved, or its loss is not finite.
    """
    processes = Processes.join()
    directory = RunDirectory(output)
    if processes.main:
        directory.prepare(config, environment(processes.device, processes.world), resume=resume)
    run = build(config, processes, data=data, cache=cache or default_cache(), display=display)
    progress = load_state(output, run.savable) if resume else Progress()
    if processes.main:
        directory.forget_after(progress.step)
    finished = loop(run, progress, directory, display)
    return _finish(run, progress, directory, display) if finished and processes.main else None


def loop(run: Run, progress: Progress, directory: RunDirectory, display: Display) -> bool:
    """Take every step that is left; False where Ctrl-C ended it early, with its state saved."""
    total = run.schedule.total_steps
    recorder = Recorder(directory, run, progress)
    with stop_on_interrupt() as stop, display.training(total, progress.step) as bar, recorder:
        for planned in islice(run.schedule.steps(), progress.step, None):
            if run.processes.any(_exhausted(run, progress)):
                return True
            rate = float(run.savable.rates.get_last_lr()[0])
            try:
                sentences, losses = take_step(run, planned)
            except NotFiniteError:
                recorder.save()
                raise
            progress.step += 1
            recorder.step(planned[0].kind, losses, rate)
            bar.advance(sentences, losses["loss"])
            last = progress.step == total
            due = last or progress.step % run.config.evaluation.every == 0
            if due and run.processes.main:
                bar.scored(evaluate(run, progress, recorder), progress.best_score)
            stopping = run.processes.any(stop.is_set())
            if due or stopping:
                recorder.save()
            if stopping and not last:
                return False
    return True


def take_step(run: Run, planned: Sequence[PlannedBatch]) -> tuple[int, dict[str, float]]:
    """One optimizer step over one or several batches; returns how many sentences it saw and its mean losses.

    Raises:
        NotFiniteError: before the weights are touched.
    """
    run.savable.optimizer.zero_grad()
    sentences, losses = 0, defaultdict[str, float](float)
    for batch_plan in planned:
        seen, parts = _backward(run, batch_plan, scale=1 / len(planned))
        sentences += seen
        for name, value in parts.items():
            losses[name] += value / len(planned)
    parameters = list(run.savable.trained.parameters())
    run.processes.sum_gradients(parameters)
    norm = clip_grad_norm_(parameters, run.config.optimizer.clip_norm)
    if not math.isfinite(norm):
        raise _not_finite(planned[-1], "gradient", norm.item())
    run.savable.optimizer.step()
    run.savable.rates.step()
    if run.savable.average is not None:
        run.savable.average.update()
    return sentences, dict(losses)


def _backward(run: Run, planned: PlannedBatch, *, scale: float) -> tuple[int, dict[str, float]]:
    processes = run.processes
    batch = run.corpus.batch(planned.kind, planned.index, run.config.schedule)
    seed = derived_seed(run.config.run.seed, planned.number, processes.rank)
    parts = run.objective.backward(batch.share(processes.rank, processes.world), seed, scale=scale)
    if not math.isfinite(parts["loss"]):
        raise _not_finite(planned, "loss", parts["loss"])
    return len(batch), parts


def _not_finite(planned: PlannedBatch, what: str, value: float) -> NotFiniteError:
    return NotFiniteError(
        f"the {what} of {planned.kind} batch {planned.index} (batch {planned.number} of the run) is {value}. The run "
        "stopped before using it, and the state before it is saved. Lower optimizer.learning_rate or raise the "
        "temperature, or look at that batch."
    )


def evaluate(run: Run, progress: Progress, recorder: Recorder) -> float:
    """Score STS-B dev, and keep the weights if they are the best so far."""
    with averaged(run):
        dev = run.evaluator.dev()
        recorder.evaluation(dev)
        progress.stale += 1
        if not dev.spearman <= progress.best_score:  # a score that is NaN gives way to any other
            progress.best_score, progress.best_step, progress.stale = dev.spearman, progress.step, 0
            progress.best_digest = save_best(recorder.directory.path, run.trainee.model)
    return dev.spearman


def averaged(run: Run) -> AbstractContextManager[None]:
    """The model holds the moving average of its weights, where the run has one."""
    return run.savable.average.in_place() if run.savable.average is not None else nullcontext()


def _exhausted(run: Run, progress: Progress) -> bool:
    patience = run.config.evaluation.patience
    return patience is not None and progress.stale >= patience


def _finish(run: Run, progress: Progress, directory: RunDirectory, display: Display) -> Result:
    with averaged(run):
        if run.config.evaluation.keep == "best":
            load_best(directory.path, run.trainee.model, progress.best_digest)
        try:
            scores = export(run.config, run.trainee, run.evaluator, progress, directory, display)
        except (OSError, SafetensorError) as error:
            raise TrainingError(
                f"{directory.bundle}: cannot be written ({error}). The trained state is whole. Make room and go on "
                "with --resume."
            ) from error
    return Result(directory.bundle, progress, scores)
