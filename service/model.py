"""What the service needs from a model, and the one place that opens one.

The heavy imports (torch, transformers) happen inside `open_model`, so that `mcse serve --help` is fast.
"""

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
    @property
    def precision(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def threads(self) -> int: ...

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(n, dimension) sentence vectors as pooled, not normalised."""

    def ground(self, sentences: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, dimension) sentence vectors -> (n, grounded_dimension), unit length."""


def open_model(settings: Settings) -> tuple[ServedModel, Encoder]:
    """Load the checkpoint that the settings name; raises ModelError, also where the settings do not suit it."""
    import models

    try:
        return models.open_to_serve(
            settings.model,
            pooling=settings.pooling,
            precision=settings.precision,
            device=settings.device,
            threads=settings.encoder_threads,
        )
    except (models.CheckpointError, models.PrecisionError) as error:
        raise ModelError(str(error)) from error
