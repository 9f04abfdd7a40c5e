"""From texts to vectors: admit, look up, tokenize, batch, encode."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from models.config import Direction
from service.engine.admission import Admission
from service.engine.batcher import Batch, Batcher
from service.engine.budget import SENTENCE, Budget, Remembered, measure
from service.engine.cache import Row, VectorCache
from service.engine.part import Item, Part, Room, Text, check_lengths, parts_of, tokenize
from service.engine.request import Finished, ItemFailedError
from service.engine.space import Space
from service.errors import EmptyInput, InvalidInput
from service.model import Encoder, ServedModel, Tokens
from service.settings import Settings
from service.telemetry.metrics import Metrics

Value = TypeVar("Value")
Vector = NDArray[np.float32]

UNTUNED_TOKENS = 1024  # of a batch until `tune` is done
MOST_STATE_NUMBERS = 4 * 1024 * 1024  # in one answer of `token_states`: 16 MB, and three times that as JSON
MOST_STATE_ANSWERS = 4  # of them in memory at one time

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds."""

    tokenize: float = 0.0
    queue: float = 0.0
    encode: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What is known of the texts of one request, in their order."""

    tokens: list[int]
    """Tokens of each text, special tokens included."""
    dropped: list[int]
    """Tokens cut off per text; 0 where the text fits."""
    characters: int
    """Of all texts; those that came as token ids have none."""
    timings: Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded(Counts):
    """The answer to one `embed`."""

    vectors: NDArray[np.float32]
    """(n, width). As pooled in the sentence space, unit length in the grounded space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStates(Counts):
    """The answer to one `token_states`."""

    states: list[NDArray[np.float32]]
    """(tokens, dimension) of each text: the last layer's, of its special tokens too."""


class Engine:
    """
    Threads:

        event loop   embed: caps -> cache -> permits ────┐                         ┌─> Embedded
        prepare      tokenize (where compute is busy) <──┤                         │
        compute      tokenize (where it is idle), _encode a batch of many requests ┘

    `token_states` goes the same way, past the cache.

    Permits and cache belong to the event loop; the tokenizer is thread-safe; the encoder belongs to the compute thread.
    """

    def __init__(self, model: ServedModel, encoder: Encoder, settings: Settings, metrics: Metrics) -> None:
        """Make it on the event loop that will call `embed`."""
        self.model = model
        self.admission = Admission(settings.max_pending)
        self._state_answers = Admission(MOST_STATE_ANSWERS)
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
            lanes=encoder.threads,
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
        self.budget = budget
        self._batcher.budget = budget.tokens
        log.info("batch_tokens", **self.budget.told())

    async def embed(
        self,
        texts: Sequence[Text],
        *,
        space: Space = "sentence",
        truncate: bool = True,
        direction: Direction = "right",
    ) -> Embedded:
        """Vectors of `texts`. A list of ints is a text as this model's own token ids, with its special tokens or not.

        Raises EmptyInput for no texts; InvalidInput for a text that is too long, has no content, or (with
        `truncate=False`) does not fit the model, and for ids that are none of the model's; Overloaded, EncodeFailed and
        Unavailable.
        """
        self._check(texts, space)
        keys = self.cache.keys(texts, space, direction)
        rows: list[Row | None] = self.cache.get(keys) if keys else [None] * len(texts)
        missing = [position for position, row in enumerate(rows) if row is None or (row.dropped and not truncate)]
        timings = Timings()
        if missing:
            parts = list(parts_of(texts, missing, space, truncate=truncate, direction=direction))
            done = await self._submit(parts)
            timings = Timings(done.prepare_s, done.queue_s, done.encode_s)
            for position, vector, each in _in_turn(parts, done.results):
                rows[position] = row = Row(vector, len(each.ids), each.dropped)
                if keys:
                    self.cache.put(keys[position], row)
        return _embedded([row for row in rows if row is not None], texts, timings)

    async def token_states(
        self, texts: Sequence[Text], *, truncate: bool = True, direction: Direction = "right"
    ) -> TokenStates:
        """The last layer's state of every token of `texts`, before any pooling or head.

        Raises what `embed` does, and InvalidInput for more than MOST_STATE_NUMBERS numbers, before they are computed.
        Call it inside `state_answer`.
        """
        self._check(texts, "sentence")
        room = Room(
            MOST_STATE_NUMBERS // self.model.dimension,
            f"The states of these tokens are more than {MOST_STATE_NUMBERS} numbers, {self.model.dimension} of each; "
            "send fewer or shorter texts at a time.",
        )
        parts = list(parts_of(texts, range(len(texts)), "tokens", truncate=truncate, direction=direction, room=room))
        done = await self._submit(parts)
        turn = sorted(_in_turn(parts, done.results), key=lambda each: each[0])
        return TokenStates(
            states=[states for _, states, _ in turn],
            tokens=[len(each.ids) for _, _, each in turn],
            dropped=[each.dropped for _, _, each in turn],
            characters=_characters(texts),
            timings=Timings(done.prepare_s, done.queue_s, done.encode_s),
        )

    @contextmanager
    def state_answer(self) -> Iterator[None]:
        """Hold one of the few places for an answer of token states; raises Overloaded where none is free."""
        with self._state_answers.admit(1):
            yield

    async def on_compute_thread(self, function: Callable[[], Value]) -> Value:
        """Call `function` where the encoder is called, between two batches."""
        return await self._batcher.run(function)

    def healthy(self) -> bool:
        """The compute thread lives and is not stuck."""
        return self._batcher.healthy()

    def close(self) -> None:
        """Finish what was admitted, then stop the threads. Blocks."""
        self._batcher.close()

    async def _submit(self, parts: Sequence[Part]) -> Finished[Vector]:
        positions = [position for part in parts for position in part.positions]
        with self.admission.admit(len(positions)):
            try:
                return await self._batcher.submit(parts)
            except ItemFailedError as failed:
                raise failed.told(positions) from None

    def _check(self, texts: Sequence[Text], space: Space) -> None:
        if not texts:
            raise EmptyInput("No texts were sent; send at least one.")
        if space == "grounded" and self.model.grounded_dimension is None:
            raise InvalidInput(
                "This model has no grounded space (it was not trained with images); use the space `sentence`."
            )
        check_lengths(texts, self._max_chars)

    def _encode(self, batch: Sequence[Item]) -> list[Vector]:
        """Compute thread. Raises when the model answers with anything but finite numbers of the right shape."""
        states = iter(self._states([item for item in batch if item.output == "tokens"]))
        vectors = iter(self._vectors([item for item in batch if item.output != "tokens"]))
        return [next(states if item.output == "tokens" else vectors) for item in batch]

    def _states(self, batch: Sequence[Item]) -> list[Vector]:
        """(tokens, dimension) of each item."""
        if not batch:
            return []
        states = self._encoder.states([item.ids for item in batch])
        for item, each in zip(batch, states, strict=True):
            _check_numbers(each, (len(item.ids), self.model.dimension))
        return states

    def _vectors(self, batch: Sequence[Item]) -> list[Vector]:
        """(width,) of each item, in its own space."""
        if not batch:
            return []
        sentences = self._encoder.encode([item.ids for item in batch])
        _check_numbers(sentences, (len(batch), self.model.dimension))
        rows = list(sentences)
        positions = [position for position, item in enumerate(batch) if item.output == "grounded"]
        if positions:
            grounded = self._encoder.ground(sentences[positions])
            _check_numbers(grounded, (len(positions), self.model.grounded_dimension or 0))
            for position, row in zip(positions, grounded, strict=True):
                rows[position] = row
        return rows

    def _observe(self, batch: Batch) -> None:
        self._metrics.batch_items.observe(batch.items)
        self._metrics.batch_tokens.observe(batch.size)
        self._metrics.shared.inc(batch.answered - batch.items)


def _in_turn(parts: Sequence[Part], results: Sequence[Vector]) -> Iterator[tuple[int, Vector, Tokens]]:
    """Position in the request, result and tokens of every text, in the order of the parts."""
    positions = [position for part in parts for position in part.positions]
    tokenized = [each for part in parts for each in part.tokenized]
    return zip(positions, results, tokenized, strict=True)


def _characters(texts: Sequence[Text]) -> int:
    return sum(len(text) for text in texts if isinstance(text, str))


def _embedded(rows: Sequence[Row], texts: Sequence[Text], timings: Timings) -> Embedded:
    return Embedded(
        vectors=np.array([row.vector for row in rows], dtype=np.float32),
        tokens=[row.tokens for row in rows],
        dropped=[row.dropped for row in rows],
        characters=_characters(texts),
        timings=timings,
    )


def _check_numbers(numbers: NDArray[np.float32], shape: tuple[int, int]) -> None:
    if numbers.shape != shape:
        raise ValueError(f"the model answered with shape {numbers.shape} instead of {shape}")
    if not np.isfinite(numbers).all():
        raise ValueError("the model answered with numbers that are not finite")
