"""What the service needs from a model, and the one place that opens one.

The heavy imports (torch, transformers) happen inside `open_model`, so that `mcse serve --help` is fast.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.config import Direction
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


class Token(Protocol):
    """One token and where it stands in its text."""

    @property
    def id(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def special(self) -> bool:
        """Whether the tokenizer put it there."""

    @property
    def start(self) -> int | None:
        """In characters; None where it is special."""

    @property
    def stop(self) -> int | None: ...


class Tokenizer(Protocol):
    """Thread-safe. What it cannot read raises a TextError, whose `index` says which of the list."""

    def encode(self, texts: Sequence[str], *, direction: Direction = "right") -> Sequence[Tokens]:
        """Tokenize; a text without content is an error."""

    def frame(self, contents: Sequence[Sequence[int]], *, direction: Direction = "right") -> Sequence[Tokens]:
        """The same of ids that a caller made with this tokenizer, with the special tokens or without."""

    def tokens(self, texts: Sequence[str], *, special: bool) -> Sequence[Sequence[Token]]:
        """Every token of each text, uncut; with `special`, those around it too."""

    def decode(self, contents: Sequence[Sequence[int]], *, skip_special: bool) -> Sequence[str]:
        """The text of each list of ids."""


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
    @property
    def prompts(self) -> Mapping[str, str]:
        """What may stand before a text, by name."""

    @property
    def default_prompt_name(self) -> str | None:
        """The prompt before a text for which none is named."""


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

    def states(self, batch: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        """(tokens, dimension) of each sentence: the last layer's state of every token."""

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
