"""The settings of a run: frozen, each field documented, checked once, saved with the result.

A run is described by one TOML file whose tables are the classes below. Paths of data are relative to the data folder
(`MCSE_DATA`, by default `../shared/data`), unless they are absolute.
"""

import dataclasses
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from models.config import Pooling
from training.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What is trained."""

    base: str
    """Starting point: a directory, `package:NAME`, or a hub id."""
    pooling: Pooling = "cls"
    """How a sentence vector is read out; the paper uses `cls`."""
    mlp_head: bool = True
    """Put SimCSE's MLP between the encoder and the text loss, in training only. Good from a plain language model;
    from a sentence-tuned start its random weights can do harm."""
    projection: int = 256
    """Width of the space shared with images (paper: 256)."""
    image_dropout: float = 0.0
    """Dropout on the image features; the paper has none."""


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What it is trained on."""

    text: str | None = None
    """Sentences, one a line, plain or gzip. None trains on captions alone."""
    captions: str | None = None
    """Captions in Flickr8k's form: `image.jpg#number<TAB>caption`. None trains on text alone."""
    features: str | None = None
    """Image features: npz with `image_ids` (n,) and `features` (n, width)."""
    split: str | None = None
    """Image ids to train on, one a line; None takes every captioned image."""
    captions_per_image: Literal["one", "all"] = "one"
    """`one` chooses a caption per image once (paper); `all` takes another one at each pass."""
    max_tokens: int = 32
    """Longest training input in tokens (paper: 32). Evaluation is not cut to it."""


@dataclass(frozen=True, slots=True)
class ObjectiveConfig:
    """What is minimised: SimCSE loss + grounding_weight x grounding loss + anchor_weight x anchor loss."""

    framework: Literal["mcse", "simcse"] = "mcse"
    """`simcse` sees the same caption batches without their images: the paper's matched baseline."""
    text_weight: float = 1.0
    """Weight of the SimCSE loss."""
    temperature: float = 0.05
    """Of the SimCSE loss."""
    grounding_temperature: float = 0.05
    """Of the grounding loss."""
    grounding_weight: float = 0.01
    """The paper's lambda on the mean over both views, as in its code: 0.01 with text, 0.05 on captions alone."""
    image_to_text: bool = False
    """Also contrast each image against the sentences of its batch; the paper does not."""
    anchor_weight: float = 0.0
    """Weight of 1 - cosine to the vector of the untrained start. It keeps a good text space in place while captions
    move towards their images. The paper has none."""


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """AdamW with linear decay to 0."""

    learning_rate: float = 3e-5
    """Peak rate of the encoder (paper: 3e-5 for BERT, 1e-5 for RoBERTa)."""
    head_learning_rate: float | None = None
    """Peak rate of the heads; None gives them the encoder's."""
    weight_decay: float = 0.0
    """Decoupled weight decay."""
    epsilon: float = 1e-6
    """Of Adam. The original's class defaults to 1e-6, torch's to 1e-8."""
    warmup_steps: int = 0
    """Steps of linear warm-up of the encoder's rate. New heads have no warm-up: it lets them settle first."""
    clip_norm: float = 1.0
    """Largest norm of the gradient over encoder and heads together."""


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """In which order what is seen."""

    batch_size: int = 64
    """Sentences of a text batch."""
    pair_batch_size: int | None = None
    """Captions of a caption batch; None takes `batch_size`."""
    epochs: int = 3
    """Passes; one has as many steps as there are text and caption batches together."""
    pair_every: int | None = None
    """Each how many steps a caption batch comes; None spreads one pass of captions over one of text, as the paper."""
    max_steps: int | None = None
    """Stop here, before the epochs are over; the learning rate reaches 0 at this step."""


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """How the best step is found."""

    every: int = 125
    """Steps between two evaluations on STS-B dev (paper: 125)."""
    keep: Literal["best", "last"] = "best"
    """Which state becomes the bundle: the best on STS-B dev (paper), or the last."""
    blend: float = 1.0
    """Share of the trained encoder in the bundle; the rest is the untrained start, weight by weight (WiSE-FT, Wortsman
    et al. 2022). Below 1 it gives up some of what was learned for what was known before. Heads are kept as trained."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How it is computed."""

    seed: int = 42
    """Of data order, caption choice, dropout and new weights."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """`bfloat16` computes matrix products in bf16 (autocast); weights stay float32. The paper used float32."""
    export_precision: Literal["float32", "float16"] = "float32"
    """Of the weights in the bundle on disk."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A whole run."""

    model: ModelConfig
    data: DataConfig
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        _check_ranges(self)
        _check_shares(self)
        _check_together(self)

    def to_dict(self) -> dict[str, Any]:
        """Every setting, defaults included."""
        return dataclasses.asdict(self)


def load_config(path: Path) -> TrainConfig:
    """Read a run's TOML file.

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown, mistyped, out of range or contradictory.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file. See configs/ for the ones that come with mcse.") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not readable as TOML: {error}") from error
    return parse_config(tables, source=str(path))


def parse_config(tables: dict[str, Any], *, source: str) -> TrainConfig:
    """Make a TrainConfig of parsed TOML; `source` is named in errors."""
    kinds = get_type_hints(TrainConfig)
    _refuse_unknown(tables, kinds, source)
    for needed in ("model", "data"):
        if not isinstance(tables.get(needed), dict):
            raise ConfigError(f"{source}: the table [{needed}] is missing")
    made = {name: _section(kinds[name], name, table, source) for name, table in tables.items()}
    try:
        return TrainConfig(**made)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def _section(kind: Any, name: str, table: Any, source: str) -> Any:
    if not isinstance(table, dict):
        raise ConfigError(f"{source}: {name} must be a table, [{name}]")
    hints = get_type_hints(kind)
    _refuse_unknown(table, hints, f"{source}: [{name}]")
    for key, value in table.items():
        if not _fits(value, hints[key]):
            raise ConfigError(f"{source}: {name}.{key} is {value!r}; expected {_describe(hints[key])}")
    try:
        return kind(**table)
    except TypeError as error:
        raise ConfigError(f"{source}: [{name}] {str(error).removeprefix('__init__() ')}") from error


def _refuse_unknown(table: dict[str, Any], known: dict[str, Any], where: str) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}: unknown setting {key!r}; known are {', '.join(sorted(known))}")


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if choices := get_args(hint):  # a union
        return any(_fits(value, choice) for choice in choices)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _describe(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(repr, get_args(hint)))
    names = [_describe(choice) for choice in get_args(hint) if choice is not type(None)]
    return " or ".join(names) if names else str(getattr(hint, "__name__", hint))


def _check_ranges(config: TrainConfig) -> None:
    objective, optimizer, schedule = config.objective, config.optimizer, config.schedule
    positive = {
        "model.projection": config.model.projection,
        "data.max_tokens": config.data.max_tokens,
        "objective.temperature": objective.temperature,
        "objective.grounding_temperature": objective.grounding_temperature,
        "optimizer.learning_rate": optimizer.learning_rate,
        "optimizer.head_learning_rate": 1 if optimizer.head_learning_rate is None else optimizer.head_learning_rate,
        "optimizer.epsilon": optimizer.epsilon,
        "optimizer.clip_norm": optimizer.clip_norm,
        "schedule.epochs": schedule.epochs,
        "schedule.pair_every": 1 if schedule.pair_every is None else schedule.pair_every,
        "schedule.max_steps": 1 if schedule.max_steps is None else schedule.max_steps,
        "evaluation.every": config.evaluation.every,
    }
    not_negative = {
        "objective.text_weight": objective.text_weight,
        "objective.grounding_weight": objective.grounding_weight,
        "objective.anchor_weight": objective.anchor_weight,
        "optimizer.weight_decay": optimizer.weight_decay,
        "optimizer.warmup_steps": optimizer.warmup_steps,
        "run.seed": config.run.seed,
    }
    for name, value in positive.items():
        if not 0 < value < math.inf:
            raise ConfigError(f"{name} must be a number above 0, got {value}")
    for name, value in not_negative.items():
        if not 0 <= value < math.inf:
            raise ConfigError(f"{name} must be a number from 0, got {value}")
    for name, size in (("batch_size", schedule.batch_size), ("pair_batch_size", schedule.pair_batch_size)):
        if size is not None and size < 2:
            raise ConfigError(f"schedule.{name} must be at least 2: contrast needs a second sentence; got {size}")


def _check_shares(config: TrainConfig) -> None:
    if not 0 <= config.model.image_dropout < 1:
        raise ConfigError(f"model.image_dropout must be from 0 to below 1, got {config.model.image_dropout}")
    if not 0 < config.evaluation.blend <= 1:
        raise ConfigError(f"evaluation.blend must be above 0 and at most 1, got {config.evaluation.blend}")


def _check_together(config: TrainConfig) -> None:
    """Settings that contradict each other are refused with the names of both."""
    data, schedule = config.data, config.schedule
    if data.text is None and data.captions is None:
        raise ConfigError("data.text and data.captions are both missing: there is nothing to train on")
    if data.captions is None and schedule.pair_every is not None:
        raise ConfigError("schedule.pair_every is set, but data.captions is missing")
    if data.text is None and schedule.pair_every not in (None, 1):
        raise ConfigError("schedule.pair_every spreads captions over text, but data.text is missing")
    if config.objective.framework == "mcse" and (data.captions is None or data.features is None):
        raise ConfigError("objective.framework is 'mcse', which needs data.captions and data.features")
    if (steps := schedule.max_steps) is not None and config.optimizer.warmup_steps >= steps:
        raise ConfigError("optimizer.warmup_steps must be below schedule.max_steps")
