"""Everything a run needs, built once: data, model, optimizer, objective, evaluator."""

from dataclasses import dataclass
from pathlib import Path

from training.build import Trainee, build_trainee
from training.checkpoint import Savable
from training.config import TrainConfig
from training.corpus import Corpus, open_captions, open_corpus
from training.errors import ConfigError
from training.evaluation.evaluator import Evaluator
from training.evaluation.own import read_own
from training.objective.encode import GroupedEncoder
from training.objective.objective import Objective
from training.optimizer import MovingAverage, build_optimizer
from training.processes import Processes
from training.progress import Display
from training.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Run:
    """What the loop works with."""

    config: TrainConfig
    processes: Processes
    corpus: Corpus
    schedule: Schedule
    trainee: Trainee
    savable: Savable
    objective: Objective
    evaluator: Evaluator


def build(config: TrainConfig, processes: Processes, *, data: Path, cache: Path, display: Display) -> Run:
    """Open and check all data, then make the model and what moves it.

    Args:
        config: the run.
        processes: this process and the others.
        data: the folder of training and evaluation data.
        cache: the folder of token files.
        display: shows progress.

    Raises:
        ConfigError, DataError, CheckpointError: something does not fit.
    """
    pairs = open_captions(config, data)
    features = pairs.features if pairs is not None else None
    width = features.shape[1] if features is not None else None
    trainee = build_trainee(config, image_width=width, device=processes.device)
    evaluator = Evaluator(trainee.model, trainee.base.tokenizer, data, read_own(config.evaluation, data))
    evaluator.check()
    if not processes.main:
        processes.wait()  # the first one fills the cache
    corpus = open_corpus(config, pairs, trainee.tokenizer, root=data, cache=cache, display=display)
    if processes.main:
        processes.wait()
    schedule = _plan(config, corpus)
    optimizer, rates = build_optimizer(trainee.trained, config.optimizer, schedule.total_steps)
    decay = config.optimizer.ema_decay
    average = MovingAverage(trainee.trained, decay) if decay is not None else None
    savable = Savable(trainee.trained, optimizer, rates, average)
    return Run(config, processes, corpus, schedule, trainee, savable, _objective(config, trainee, processes), evaluator)


def _plan(config: TrainConfig, corpus: Corpus) -> Schedule:
    schedule = Schedule.plan(
        config.schedule,
        text_batches=corpus.batches("text", config.schedule),
        pair_batches=corpus.batches("pair", config.schedule),
    )
    if config.optimizer.warmup_steps >= schedule.total_steps:
        raise ConfigError(
            f"optimizer.warmup_steps is {config.optimizer.warmup_steps}, but the run has only "
            f"{schedule.total_steps} steps"
        )
    return schedule


def _objective(config: TrainConfig, trainee: Trainee, processes: Processes) -> Objective:
    encoder = GroupedEncoder(
        model=trainee.model,
        pad_id=trainee.tokenizer.pad_id,
        bfloat16=config.run.precision == "bfloat16",
        chunk_size=config.schedule.chunk_size,
    )
    return Objective(
        model=trainee.model,
        tokenizer=trainee.tokenizer,
        config=config.objective,
        encoder=encoder,
        processes=processes,
        start=trainee.start if config.objective.anchor_weight > 0 else None,
        mlm=trainee.trained.mlm,
    )
