"""What the service needs from a model, and the one place that opens one.

The heavy imports (torch, transformers) happen inside `open_model`, so that `mcse serve --help` is fast.
"""

import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.errors import ModelError
from service.settings import Settings


class Tokens(Protocol):
    """One tokenized text."""

    @property
    def ids(self) -> list[int]:
        """Token ids, special tokens included, at most the model's maximum."""

    @property
    def dropped(self) -> int:
        """Tokens that were cut off; 0 when the text fits."""


class Tokenizer(Protocol):
    """Thread-safe."""

    def encode(self, texts: Sequence[str]) -> Sequence[Tokens]:
        """Tokenize; raises a ValueError with `.index` for a text without content."""


class ServedModel(Protocol):
    """What a loaded checkpoint says of itself."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def pooling(self) -> str: ...
    @property
    def pooling_reason(self) -> str: ...
    @property
    def max_tokens(self) -> int: ...
    @property
    def dimension(self) -> int: ...
    @property
    def grounded_dimension(self) -> int | None: ...
    @property
    def tokenizer(self) -> Tokenizer: ...


class Encoder(Protocol):
    """Turns token ids into vectors; called by the compute thread only."""

    @property
    def name(self) -> str: ...

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(n, dimension) sentence vectors as pooled, not normalised."""

    def ground(self, sentences: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, dimension) sentence vectors -> (n, grounded_dimension), unit length."""


def open_model(settings: Settings) -> tuple[ServedModel, Encoder]:
    """Load the checkpoint that the settings name; raises ModelError."""
    # OpenMP reads it once, when torch is imported: its own default is the host's cores, not the quota's.
    os.environ.setdefault("OMP_NUM_THREADS", str(settings.encoder_threads))
    import models

    try:
        checkpoint = models.load(settings.model, pooling=settings.pooling)
    except models.CheckpointError as error:
        raise ModelError(str(error)) from error
    return checkpoint, models.open_runtime(checkpoint, threads=settings.encoder_threads)
