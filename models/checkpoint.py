"""Checkpoint: a model as it was opened, with where its pooling came from and its fingerprint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.config import EncoderConfig, Kind, Pooling
from models.fingerprint import ARCHITECTURE, fingerprint
from models.mcse import MCSE
from models.text import TextTokenizer


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An opened model."""

    name: str
    """What answers call the model by: its directory's name, or the hub id or package it was asked for by."""
    path: Path
    kind: Kind
    """What the directory was recognised as."""
    model: MCSE
    """On the CPU, float32, in evaluation mode."""
    tokenizer: TextTokenizer
    config: EncoderConfig
    pooling_reason: str
    """Which file, name or option decided the pooling."""
    fingerprint: str
    """64 hex digits over weights, tokenizer, pooling, token limit and similarity."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """What may stand before a text, by name; see `models.prompts.Prompts`"""
    default_prompt_name: str | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    """What `mcse.json` says of base model, training and scores; empty for other kinds."""

    @property
    def pooling(self) -> Pooling:
        """How token states become a sentence vector."""
        return self.config.pooling

    @property
    def max_tokens(self) -> int:
        """Longest input in tokens."""
        return self.config.max_tokens

    @property
    def dimension(self) -> int:
        """Width of a sentence vector."""
        return self.config.dimension

    @property
    def grounded_dimension(self) -> int | None:
        """Width of the space shared with images; None where the model has no grounding head."""
        grounding = self.model.grounding
        return grounding.dense.out_features if grounding is not None else None


def fingerprint_of(model: MCSE, tokenizer: TextTokenizer, config: EncoderConfig) -> str:
    """Hash of everything a served vector depends on."""
    backbone = model.encoder.backbone.config
    architecture = {key: getattr(backbone, key, None) for key in ARCHITECTURE}
    weights = ((name, tensor.detach().float().numpy()) for name, tensor in model.state_dict().items())
    return fingerprint(architecture, weights, tokenizer.to_json(), config)
