"""From texts to vectors: admit, look up, tokenize, batch, encode."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from service.engine.admission import Admission
from service.engine.batcher import Batch, Batcher
from service.engine.budget import SENTENCE, Budget, Remembered, measure
from service.engine.cache import Row, VectorCache
from service.engine.part import Item, Part, parts_of, tokenize
from service.engine.request import Finished, ItemFailedError
from service.engine.space import Space
from service.errors import EmptyInput, InvalidInput
from service.model import Encoder, ServedModel
from service.settings import Settings
from service.telemetry.metrics import Metrics

Value = TypeVar("Value")
Vector = NDArray[np.float32]

UNTUNED_TOKENS = 1024  # of a batch until `tune` is done

log = structlog.get_logger()


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
    """Tokens of each text, special tokens included."""
    dropped: list[int]
    """Tokens cut off per text; 0 where the text fits."""
    characters: int
    timings: Timings


class Engine:
    """
    Threads:

        event loop   embed: caps -> cache -> permits ─┐                            ┌─> Embedded
        prepare      tokenize (where compute is busy) <──┤                         │
        compute      tokenize (where it is idle), _encode a batch of many requests ┘

    Permits and cache belong to the event loop; the tokenizer is thread-safe; the encoder belongs to the compute thread.
    """

    def __init__(self, model: ServedModel, encoder: Encoder, settings: Settings, metrics: Metrics) -> None:
        """Make it on the event loop that will call `embed`."""
        self.model = model
        self.admission = Admission(settings.max_pending)
        self.cache = VectorCache(settings.vector_cache_mb, metrics)
        self.budget = Budget(settings.max_batch_tokens or UNTUNED_TOKENS, "set", {})
        self._encoder = encoder
        self._max_chars = settings.max_chars
        self._metrics = metrics
        self._batcher: Batcher[Part, Item, Vector] = Batcher(
            lambda part: tokenize(part, model),
            self._encode,
            size=lambda item: len(item.ids),
            budget=self.budget.tokens,
            observe=self._observe,
        )

    async def tune(self, data_dir: Path) -> None:
        """Find out how many tokens a batch should have, or remember it from `data_dir`."""
        remembered = Remembered(data_dir, self.model, self._encoder)
        budget = remembered.read()
        if budget is None:
            (sentence,) = self.model.tokenizer.encode([SENTENCE])
            budget = await self._batcher.run(lambda: measure(self._encoder.encode, sentence.ids))
            remembered.write(budget)
        self.budget = budget.for_longest(self.model.max_tokens, self._encoder.threads)
        self._batcher.budget = self.budget.tokens
        log.info("batch_tokens", **self.budget.told())

    async def embed(self, texts: Sequence[str], *, space: Space = "sentence", truncate: bool = True) -> Embedded:
        """Vectors of `texts`.

        Raises EmptyInput for no texts; InvalidInput for a text that is too long, has no content, or (with
        `truncate=False`) does not fit the model; Overloaded, EncodeFailed and Unavailable.
        """
        self._check(texts, space)
        keys = self.cache.keys(texts, space)
        rows: list[Row | None] = self.cache.get(keys) if keys else [None] * len(texts)
        missing = [position for position, row in enumerate(rows) if row is None or (row.dropped and not truncate)]
        timings = Timings()
        if missing:
            parts = list(parts_of(texts, missing, space, truncate))
            done = await self._submit(parts, missing)
            timings = Timings(done.prepare_s, done.queue_s, done.encode_s)
            tokenized = (each for part in parts for each in part.tokenized)
            for position, vector, each in zip(missing, done.results, tokenized, strict=True):
                rows[position] = row = Row(vector, len(each.ids), each.dropped)
                if keys:
                    self.cache.put(keys[position], row)
        return _embedded([row for row in rows if row is not None], texts, timings)

    async def on_compute_thread(self, function: Callable[[], Value]) -> Value:
        """Call `function` where the encoder is called, between two batches."""
        return await self._batcher.run(function)

    def healthy(self) -> bool:
        """The compute thread lives and is not stuck."""
        return self._batcher.healthy()

    def close(self) -> None:
        """Finish what was admitted, then stop the threads. Blocks."""
        self._batcher.close()

    async def _submit(self, parts: Sequence[Part], positions: Sequence[int]) -> Finished[Vector]:
        with self.admission.admit(len(positions)):
            try:
                return await self._batcher.submit(parts)
            except ItemFailedError as failed:
                raise failed.told(positions) from None

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

    def _encode(self, batch: Sequence[Item]) -> list[Vector]:
        """Compute thread. Raises when the model answers with anything but finite vectors of its own width."""
        sentences = self._encoder.encode([item.ids for item in batch])
        _check_vectors(sentences, (len(batch), self.model.dimension))
        rows = list(sentences)
        positions = [position for position, item in enumerate(batch) if item.space == "grounded"]
        if positions:
            grounded = self._encoder.ground(sentences[positions])
            _check_vectors(grounded, (len(positions), self.model.grounded_dimension or 0))
            for position, row in zip(positions, grounded, strict=True):
                rows[position] = row
        return rows

    def _observe(self, batch: Batch) -> None:
        self._metrics.batch_items.observe(batch.items)
        self._metrics.batch_tokens.observe(batch.size)
        self._metrics.shared.inc(batch.answered - batch.items)


def _embedded(rows: Sequence[Row], texts: Sequence[str], timings: Timings) -> Embedded:
    return Embedded(
        vectors=np.array([row.vector for row in rows], dtype=np.float32),
        tokens=[row.tokens for row in rows],
        dropped=[row.dropped for row in rows],
        characters=sum(map(len, texts)),
        timings=timings,
    )


def _check_vectors(vectors: NDArray[np.float32], shape: tuple[int, int]) -> None:
    if vectors.shape != shape:
        raise ValueError(f"the model answered with shape {vectors.shape} instead of {shape}")
    if not np.isfinite(vectors).all():
        raise ValueError("the model answered with numbers that are not finite")
