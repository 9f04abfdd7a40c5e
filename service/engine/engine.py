"""From texts to vectors: admit, tokenize, batch, encode."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.errors import TextError
from service.engine.admission import Admission
from service.engine.batcher import Batch, Batcher
from service.engine.workers import Workers
from service.errors import EmptyInput, InvalidInput
from service.model import Encoder, ServedModel, Tokens
from service.telemetry.metrics import Metrics

Space = Literal["sentence", "grounded"]

# Texts tokenized in one go: a large request gives way to small ones after at most this many.
TOKENIZE_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds."""

    tokenize: float = 0.0
    queue: float = 0.0
    encode: float = 0.0


@dataclass(frozen=True, slots=True)
class Embedded:
    """The answer to one `embed`, in the order of the texts."""

    vectors: NDArray[np.float32]
    """(n, width). As pooled in the sentence space, unit length in the grounded space."""
    tokens: list[int]
    """Tokens encoded per text, special tokens included."""
    dropped: list[int]
    """Tokens cut off per text; 0 where the text fits."""
    characters: int
    timings: Timings


@dataclass(frozen=True, slots=True)
class _Job:
    ids: list[int]
    space: Space


class Engine:
    """
    Threads:

        event loop   embed: caps -> permits ─┐                      ┌─> Embedded
        tokenizer    tokenizer.encode <──────┘ ─> event loop ─┐     │
        compute      _encode (a batch of many requests) <─────┘─────┘

    Permits are counted on the event loop; the tokenizer is thread-safe; the encoder belongs to the compute thread.
    """

    def __init__(
        self,
        model: ServedModel,
        encoder: Encoder,
        *,
        max_pending: int,
        max_batch_tokens: int,
        max_chars: int,
        metrics: Metrics,
    ) -> None:
        """Make it on the event loop that will call `embed`."""
        self.model = model
        self.admission = Admission(max_pending)
        self._encoder = encoder
        self._max_chars = max_chars
        self._metrics = metrics
        self._tokenizer = Workers("tokenizer", threads=1, permits=max_pending)
        self._batcher: Batcher[_Job, NDArray[np.float32]] = Batcher(
            self._encode,
            size=lambda job: len(job.ids),
            budget=max_batch_tokens,
            observe=self._observe,
        )

    async def embed(self, texts: Sequence[str], *, space: Space = "sentence", truncate: bool = True) -> Embedded:
        """Vectors of `texts`.

        Raises EmptyInput for no texts; InvalidInput for a text that is too long, has no content, or (with
        `truncate=False`) does not fit the model; Overloaded, EncodeFailed and Unavailable.
        """
        self._check(texts, space)
        with self.admission.admit(len(texts)):
            started = time.monotonic()
            tokenized = await self._tokenize(texts)
            tokenize_s = time.monotonic() - started
            if not truncate:
                self._refuse_long(tokenized)
            done = await self._batcher.submit([_Job(each.ids, space) for each in tokenized])
        return Embedded(
            vectors=np.stack(done.results),
            tokens=[len(each.ids) for each in tokenized],
            dropped=[each.dropped for each in tokenized],
            characters=sum(map(len, texts)),
            timings=Timings(tokenize_s, done.queue_s, done.encode_s),
        )

    def healthy(self) -> bool:
        """The compute thread lives and is not stuck."""
        return self._batcher.healthy()

    def close(self) -> None:
        """Finish what was admitted, then stop the threads. Blocks."""
        self._batcher.close()
        self._tokenizer.close()

    def _check(self, texts: Sequence[str], space: Space) -> None:
        if not texts:
            raise EmptyInput("No texts were sent; send at least one.")
        if space == "grounded" and self.model.grounded_dimension is None:
            raise InvalidInput(
                "This model has no grounded space (it was not trained with images); use the space `sentence`."
            )
        for position, text in enumerate(texts):
            if len(text) > self._max_chars:
                raise InvalidInput(
                    f"The text at position {position} has {len(text)} characters; "
                    f"the limit is {self._max_chars}. Split it."
                )

    async def _tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        tokenized: list[Tokens] = []
        for start in range(0, len(texts), TOKENIZE_AT_ONCE):
            part = texts[start : start + TOKENIZE_AT_ONCE]
            try:
                tokenized += await self._tokenizer.call(self.model.tokenizer.encode, part)
            except TextError as error:
                raise InvalidInput(f"The text at position {start + error.index} cannot be embedded: {error}") from error
        return tokenized

    def _refuse_long(self, tokenized: Sequence[Tokens]) -> None:
        for position, each in enumerate(tokenized):
            if each.dropped:
                raise InvalidInput(
                    f"The text at position {position} has {len(each.ids) + each.dropped} tokens; the model "
                    f"takes {self.model.max_tokens}. Shorten it, or set `truncate` to true."
                )

    def _encode(self, batch: Sequence[_Job]) -> list[NDArray[np.float32]]:
        """Compute thread. Raises when the model answers with anything but finite vectors of its own width."""
        sentences = self._encoder.encode([job.ids for job in batch])
        _check_vectors(sentences, (len(batch), self.model.dimension))
        rows = list(sentences)
        positions = [position for position, job in enumerate(batch) if job.space == "grounded"]
        if positions:
            grounded = self._encoder.ground(sentences[positions])
            _check_vectors(grounded, (len(positions), self.model.grounded_dimension or 0))
            for position, row in zip(positions, grounded, strict=True):
                rows[position] = row
        return rows

    def _observe(self, batch: Batch) -> None:
        self._metrics.batch_items.observe(batch.items)
        self._metrics.batch_tokens.observe(batch.size)


def _check_vectors(vectors: NDArray[np.float32], shape: tuple[int, int]) -> None:
    if vectors.shape != shape:
        raise ValueError(f"the model answered with shape {vectors.shape} instead of {shape}")
    if not np.isfinite(vectors).all():
        raise ValueError("the model answered with numbers that are not finite")
