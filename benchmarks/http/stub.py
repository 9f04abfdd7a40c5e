"""A checkpoint and a runtime that compute nothing, for the service to be built around."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.config import Direction
from service.model import Token

_TOKENS = 30  # of every text


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of one text, as if."""

    ids: list[int]
    dropped: int = 0


class Tokenizer:
    """Ids without reading the text. No two texts have the same ones, so that each is encoded."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def encode(self, texts: Sequence[str], *, direction: Direction = "right") -> list[Tokens]:  # noqa: ARG002
        """As many for each."""
        return [Tokens([next(self._numbers), *range(_TOKENS)]) for _ in texts]

    def frame(self, contents: Sequence[Sequence[int]], *, direction: Direction = "right") -> list[Tokens]:  # noqa: ARG002
        """Likewise."""
        return [Tokens([next(self._numbers), *range(_TOKENS)]) for _ in contents]

    def tokens(self, texts: Sequence[str], *, special: bool) -> list[list[Token]]:
        """Nobody asks for them here."""
        raise NotImplementedError

    def decode(self, contents: Sequence[Sequence[int]], *, skip_special: bool) -> list[str]:
        """Nobody asks for them here."""
        raise NotImplementedError


class Model:
    """What the service asks of a checkpoint, without one."""

    name, kind, pooling, pooling_reason = "nothing", "nothing", "mean", "nothing is computed"
    fingerprint = "0" * 64
    max_tokens, grounded_dimension = 256, None
    prompts: Mapping[str, str] = {}
    default_prompt_name: str | None = None

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.tokenizer = Tokenizer()


class Nothing:
    """A runtime that knows its one answer."""

    name, precision, reason, threads = "nothing-float32", "float32", "HTTP is measured", 1

    def __init__(self, dimension: int) -> None:
        drawn = np.random.default_rng(0).normal(size=dimension) / dimension**0.5
        self.vector = drawn.astype(np.float32)
        """(dimension,), with numbers as long as those of a real one."""

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """The same vector for each."""
        return np.broadcast_to(self.vector, (len(batch), len(self.vector)))

    def states(self, batch: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        """Nobody asks for them here."""
        raise NotImplementedError

    def ground(self, sentences: NDArray[np.float32]) -> NDArray[np.float32]:
        """There is no grounded space."""
        raise NotImplementedError
