"""The settings of a run, read from one TOML file."""

from training.config.parse import load_config, parse_config
from training.config.sections import (
    AblationConfig,
    CaptionFormat,
    DataConfig,
    EvaluationConfig,
    ModelConfig,
    ObjectiveConfig,
    OptimizerConfig,
    RunConfig,
    ScheduleConfig,
    TrainConfig,
)

__all__ = [
    "AblationConfig",
    "CaptionFormat",
    "DataConfig",
    "EvaluationConfig",
    "ModelConfig",
    "ObjectiveConfig",
    "OptimizerConfig",
    "RunConfig",
    "ScheduleConfig",
    "TrainConfig",
    "load_config",
    "parse_config",
]
