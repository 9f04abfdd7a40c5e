"""A training run from top to bottom: resolve, build, loop, export.

A step: the schedule says which kind of batch comes; the data gives sentences, with image features for a caption
batch; the objective makes two dropout views and their losses; AdamW steps and the rates decay. Every few steps STS-B
dev is scored, the best weights are kept and the state of the run is written, so that it can go on after any stop.
"""

import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event

import torch
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from training.build import Trainee, build_optimizer, build_trainee
from training.checkpoint import Progress, load_best, load_state, save_best, save_state
from training.config import TrainConfig
from training.data.corpus import CaptionedImages, Sentences, check_content, open_pairs, open_text
from training.errors import ConfigError, TrainingError
from training.evaluation.evaluator import Evaluator, Scores
from training.export import export
from training.objective.objective import BatchLoss, Objective
from training.progress import Display
from training.rundir import RunDirectory
from training.schedule import BatchKind, Schedule


@dataclass(frozen=True, slots=True)
class Corpus:
    """The data of a run; at least one of the two is there."""

    text: Sentences | None
    pairs: CaptionedImages | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished run leaves."""

    bundle: Path
    progress: Progress
    scores: Scores


@dataclass(frozen=True, slots=True)
class Run:
    """Everything the loop needs, built once."""

    config: TrainConfig
    corpus: Corpus
    schedule: Schedule
    trainee: Trainee
    optimizer: Optimizer
    rates: LRScheduler
    objective: Objective
    evaluator: Evaluator


def train(config: TrainConfig, *, output: Path, data: Path, resume: bool, display: Display) -> Result | None:
    """Train, evaluate and export a model.

    Args:
        config: the run.
        output: the directory it writes; see `training.rundir`.
        data: the folder that relative data paths start from; it also holds the evaluation data.
        resume: go on from where the run in `output` stopped.
        display: shows progress.

    Returns:
        The result, or None where the run was interrupted and can be resumed.

    Raises:
        ConfigError, DataError, CheckpointError: something does not fit; nothing was trained.
        TrainingError: the run cannot start in this directory, or its loss is not finite.
    """
    directory = RunDirectory(output)
    directory.prepare(config, resume=resume)
    torch.manual_seed(config.run.seed)
    run = build(config, open_corpus(config, data), data)
    progress = load_state(output, run.trainee.model, run.optimizer, run.rates) if resume else Progress()
    directory.forget_after(progress.step)
    if not loop(run, progress, directory, display):
        return None
    if config.evaluation.keep == "best":
        load_best(output, run.trainee.model)
    scores = export(config, run.trainee, run.evaluator, progress, directory.bundle, display)
    return Result(directory.bundle, progress, scores)


def open_corpus(config: TrainConfig, root: Path) -> Corpus:
    """Read and check all training data."""
    seed = config.run.seed
    return Corpus(
        text=open_text(root / config.data.text, seed) if config.data.text is not None else None,
        pairs=open_pairs(config.data, root, seed) if config.data.captions is not None else None,
    )


def build(config: TrainConfig, corpus: Corpus, data: Path) -> Run:
    """Make the model and all that moves it."""
    schedule = _plan(config, corpus)
    features = corpus.pairs.features if corpus.pairs is not None else None
    grounded = config.objective.framework == "mcse"
    trainee = build_trainee(
        config.model,
        max_tokens=config.data.max_tokens,
        image_width=features.shape[1] if grounded and features is not None else None,
    )
    optimizer, rates = build_optimizer(trainee.model, config.optimizer, schedule.total_steps)
    _check_texts(corpus, trainee)
    evaluator = Evaluator(trainee.model, trainee.base.tokenizer, data)
    evaluator.check()
    return Run(
        config=config,
        corpus=corpus,
        schedule=schedule,
        trainee=trainee,
        optimizer=optimizer,
        rates=rates,
        objective=Objective(
            trainee.model,
            trainee.tokenizer,
            config.objective,
            start=trainee.start if config.objective.anchor_weight > 0 else None,
            bfloat16=config.run.precision == "bfloat16",
        ),
        evaluator=evaluator,
    )


def loop(run: Run, progress: Progress, directory: RunDirectory, display: Display) -> bool:
    """Take every step that is left; False where Ctrl-C ended it early, with its state saved."""
    with _stop_on_interrupt() as stop, display.training(run.schedule.total_steps, progress.step) as bar:
        for step, kind, index in islice(run.schedule.steps(), progress.step, None):
            sentences, loss = take_step(run, kind, index)
            directory.log({"step": step + 1, "kind": kind, **loss})
            bar.advance(sentences, loss["loss"])
            progress.step = step + 1
            last = progress.step == run.schedule.total_steps
            due = last or progress.step % run.config.evaluation.every == 0
            if due:
                bar.scored(_evaluate(run, progress, directory), progress.best_score)
            if due or stop.is_set():
                save_state(directory.path, run.trainee.model, run.optimizer, run.rates, progress)
            if stop.is_set():
                return last
    return True


def take_step(run: Run, kind: BatchKind, index: int) -> tuple[int, dict[str, float]]:
    """One optimizer step; returns how many sentences it saw and its losses."""
    loss, sentences = _losses(run, kind, index)
    losses = loss.as_floats()
    if not math.isfinite(losses["loss"]):
        raise TrainingError(
            f"the loss of {kind} batch {index} is {losses['loss']}. The run stopped before using it; its last saved "
            "state is whole. Lower optimizer.learning_rate or raise the temperature, or look at that batch."
        )
    run.optimizer.zero_grad()
    loss.total.backward()  # type: ignore[no-untyped-call]
    clip_grad_norm_(run.trainee.model.parameters(), run.config.optimizer.clip_norm)
    run.optimizer.step()
    run.rates.step()
    return sentences, losses


def _losses(run: Run, kind: BatchKind, index: int) -> tuple[BatchLoss, int]:
    schedule = run.config.schedule
    if kind == "pair" and run.corpus.pairs is not None:
        pairs = run.corpus.pairs.batch(index, schedule.pair_batch_size or schedule.batch_size)
        return run.objective(pairs.captions, pairs.features), len(pairs.captions)
    assert run.corpus.text is not None  # noqa: S101  (the schedule has text steps only where there is text)
    text = run.corpus.text.batch(index, schedule.batch_size)
    return run.objective(text), len(text)


def _plan(config: TrainConfig, corpus: Corpus) -> Schedule:
    size = config.schedule.batch_size
    schedule = Schedule.plan(
        config.schedule,
        text_batches=corpus.text.batches(size) if corpus.text is not None else 0,
        pair_batches=corpus.pairs.batches(config.schedule.pair_batch_size or size) if corpus.pairs is not None else 0,
    )
    if config.optimizer.warmup_steps >= schedule.total_steps:
        raise ConfigError(
            f"optimizer.warmup_steps is {config.optimizer.warmup_steps}, but the run has only "
            f"{schedule.total_steps} steps"
        )
    return schedule


def _check_texts(corpus: Corpus, trainee: Trainee) -> None:
    if corpus.text is not None:
        check_content("data.text", corpus.text.lines, trainee.tokenizer)
    if corpus.pairs is not None:
        check_content("data.captions", (text for texts in corpus.pairs.captions for text in texts), trainee.tokenizer)


def _evaluate(run: Run, progress: Progress, directory: RunDirectory) -> float:
    score = run.evaluator.sts("STSB-dev")
    directory.log({"step": progress.step, "stsb_dev": score})
    if score > progress.best_score:
        progress.best_score, progress.best_step = score, progress.step
        save_best(directory.path, run.trainee.model)
    return score


@contextmanager
def _stop_on_interrupt() -> Iterator[Event]:
    """Ctrl-C finishes the step under way instead of tearing it; a second one interrupts at once."""
    stop = Event()

    def on_interrupt(_signal: int, _frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
