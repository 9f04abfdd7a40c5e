"""What a setting may be, and which settings contradict each other."""

import math

from training.config.sections import TrainConfig
from training.errors import ConfigError


def check(config: TrainConfig) -> None:
    """Refuse what cannot be run.

    Raises:
        ConfigError: a setting is out of range, or two contradict each other; the message names each.
    """
    _check_ranges(config)
    _check_shares(config)
    _check_sources(config)
    _check_together(config)


def _check_ranges(config: TrainConfig) -> None:
    objective, optimizer, schedule = config.objective, config.optimizer, config.schedule
    above_zero: dict[str, float | None] = {
        "model.projection": config.model.projection,
        "data.max_tokens": config.data.max_tokens,
        "ablation.pairs": config.ablation.pairs,
        "objective.temperature": objective.temperature,
        "objective.grounding_temperature": objective.grounding_temperature,
        "objective.hard_negative_weight": objective.hard_negative_weight,
        "optimizer.learning_rate": optimizer.learning_rate,
        "optimizer.head_learning_rate": optimizer.head_learning_rate,
        "optimizer.epsilon": optimizer.epsilon,
        "optimizer.clip_norm": optimizer.clip_norm,
        "schedule.epochs": schedule.epochs,
        "schedule.pair_every": schedule.pair_every,
        "schedule.max_steps": schedule.max_steps,
        "schedule.accumulate": schedule.accumulate,
        "schedule.chunk_size": schedule.chunk_size,
        "evaluation.every": config.evaluation.every,
        "evaluation.patience": config.evaluation.patience,
    }
    from_zero: dict[str, float] = {
        "objective.text_weight": objective.text_weight,
        "objective.grounding_weight": objective.grounding_weight,
        "objective.anchor_weight": objective.anchor_weight,
        "objective.mlm_weight": objective.mlm_weight,
        "optimizer.weight_decay": optimizer.weight_decay,
        "optimizer.warmup_steps": optimizer.warmup_steps,
        "run.seed": config.run.seed,
    }
    for name, value in above_zero.items():
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f"{name} must be a number above 0, got {value}")
    for name, number in from_zero.items():
        if not 0 <= number < math.inf:
            raise ConfigError(f"{name} must be a number from 0, got {number}")
    for name, size in (("batch_size", schedule.batch_size), ("pair_batch_size", schedule.pair_batch_size)):
        if size is not None and size < 2:
            raise ConfigError(f"schedule.{name} must be at least 2: contrast needs a second sentence; got {size}")


def _check_shares(config: TrainConfig) -> None:
    model, optimizer = config.model, config.optimizer
    below_one = {"model.image_dropout": model.image_dropout, "model.dropout": model.dropout}
    up_to_one = {"evaluation.blend": config.evaluation.blend, "optimizer.layer_decay": optimizer.layer_decay}
    inside = {"optimizer.ema_decay": optimizer.ema_decay, "objective.mlm_probability": config.objective.mlm_probability}
    for name, value in below_one.items():
        if value is not None and not 0 <= value < 1:
            raise ConfigError(f"{name} must be from 0 to below 1, got {value}")
    for name, share in up_to_one.items():
        if not 0 < share <= 1:
            raise ConfigError(f"{name} must be above 0 and at most 1, got {share}")
    for name, value in inside.items():
        if value is not None and not 0 < value < 1:
            raise ConfigError(f"{name} must be between 0 and 1, got {value}")


def _check_sources(config: TrainConfig) -> None:
    """What is trained on has to be there, and once."""
    data, ablation, framework = config.data, config.ablation, config.objective.framework
    alone = data.captions is None
    _refuse(
        (
            data.text is not None and data.supervised is not None,
            "data.text and data.supervised are both set: text batches come from one of them",
        ),
        (
            data.text is None and data.supervised is None and alone,
            "data.text, data.supervised and data.captions are all missing: there is nothing to train on",
        ),
        (
            data.text_column is not None and data.text is None,
            "data.text_column names a column, but data.text is missing",
        ),
        (alone and data.features is not None, "data.features is set, but data.captions is missing"),
        (alone and data.split is not None, "data.split is set, but data.captions is missing"),
        (alone and ablation.pairs is not None, "ablation.pairs is set, but data.captions is missing"),
        (
            framework == "mcse" and (alone or data.features is None),
            "objective.framework is 'mcse', which needs data.captions and data.features",
        ),
        (
            framework == "simcse" and ablation.images != "true",
            f"ablation.images is {ablation.images!r}, but objective.framework 'simcse' uses no images",
        ),
    )


def _check_together(config: TrainConfig) -> None:
    """Settings that contradict each other are refused with the names of both."""
    data, schedule, model, objective = config.data, config.schedule, config.model, config.objective
    evaluation = config.evaluation
    has_text = data.text is not None or data.supervised is not None
    max_steps, optimizer = schedule.max_steps, config.optimizer
    _refuse(
        (
            data.captions is None and schedule.pair_every is not None,
            "schedule.pair_every is set, but data.captions is missing",
        ),
        (
            data.captions is None and schedule.pair_batch_size is not None,
            "schedule.pair_batch_size is set, but data.captions is missing",
        ),
        (
            not has_text and schedule.pair_every not in (None, 1),
            "schedule.pair_every spreads captions over text, but data.text is missing",
        ),
        (
            max_steps is not None and optimizer.warmup_steps >= max_steps,
            "optimizer.warmup_steps must be below schedule.max_steps",
        ),
        (
            model.pooling == "cls_mlp" and not model.mlp_head,
            "model.pooling is 'cls_mlp', but model.mlp_head is false: there is no MLP to keep",
        ),
        (
            model.dropout == 0 and data.text is not None and objective.text_weight > 0,
            "model.dropout is 0 and objective.text_weight is above 0: without dropout the two views are the same",
        ),
        (
            schedule.chunk_size is not None and objective.mlm_weight > 0,
            "schedule.chunk_size and objective.mlm_weight are both set: cached gradients have no masked-LM loss",
        ),
        (
            (evaluation.captions is None) != (evaluation.features is None),
            "evaluation.captions and evaluation.features belong together: retrieval needs both",
        ),
        (
            evaluation.split is not None and evaluation.captions is None,
            "evaluation.split is set, but evaluation.captions is missing",
        ),
        (
            evaluation.blend < 1 and optimizer.ema_decay is not None,
            "evaluation.blend and optimizer.ema_decay are both set: choose one way to average weights",
        ),
    )


def _refuse(*rules: tuple[bool, str]) -> None:
    for broken, message in rules:
        if broken:
            raise ConfigError(message)
