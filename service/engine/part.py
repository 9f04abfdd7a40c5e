"""A few texts of one request, on their way to being tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from models.config import Direction
from models.errors import TextError
from service.engine.space import Output
from service.errors import InvalidInput
from service.model import ServedModel, Tokens

Text = str | list[int]
"""A text as it is sent: itself, or its token ids."""

# Texts tokenized in one go: a large request gives way to small ones after at most this many.
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Item:
    """What the encoder is asked for; equal ones have the same answer."""

    ids: tuple[int, ...]
    output: Output


@dataclass(slots=True)
class Room:
    """How many tokens there may still be in an answer that grows with them."""

    left: int
    refusal: str

    def take(self, tokens: int) -> None:
        """Raises InvalidInput when there are not so many left."""
        self.left -= tokens
        if self.left < 0:
            raise InvalidInput(self.refusal)


@dataclass(slots=True)
class Part:
    """Texts and their positions in the request; `tokenized` is filled by `tokenize`."""

    texts: Sequence[str]
    contents: Sequence[Sequence[int]]
    """Texts that came as token ids; a part has either these or `texts`"""
    positions: Sequence[int]
    output: Output
    truncate: bool
    direction: Direction
    room: Room | None
    """Shared by the parts of a request"""
    tokenized: list[Tokens] = field(default_factory=list)


def parts_of(
    texts: Sequence[Text],
    positions: Sequence[int],
    output: Output,
    *,
    truncate: bool,
    direction: Direction,
    room: Room | None = None,
) -> Iterator[Part]:
    """The texts at `positions`, AT_ONCE at a time; those that are token ids come last."""
    strings = {position: text for position in positions if isinstance(text := texts[position], str)}
    for some in _at_once(list(strings)):
        yield Part([strings[position] for position in some], [], some, output, truncate, direction, room)
    if len(strings) < len(positions):
        contents = {position: ids for position in positions if not isinstance(ids := texts[position], str)}
        for some in _at_once(list(contents)):
            yield Part([], [contents[position] for position in some], some, output, truncate, direction, room)


def _at_once(positions: list[int]) -> list[list[int]]:
    return [positions[start : start + AT_ONCE] for start in range(0, len(positions), AT_ONCE)]


def check_lengths(texts: Sequence[Text], most: int) -> None:
    """Raises InvalidInput for a text of more than `most` characters or token ids, before anything reads it."""
    for position, text in enumerate(texts):
        if len(text) > most:
            unit = "characters" if isinstance(text, str) else "token ids"
            raise InvalidInput(
                f"The text at position {position} has {len(text)} {unit}; the limit is {most}. Split it."
            )


def tokenize(part: Part, model: ServedModel) -> list[Item]:
    """Fill `tokenized`, and say what is to be encoded.

    Raises InvalidInput for a text without content, for ids that are not in the vocabulary, for a text that does not fit
    where it may not be cut, and where there is no room for the answer.
    """
    try:
        part.tokenized += model.tokenizer.encode(part.texts, direction=part.direction) if part.texts else []
        part.tokenized += model.tokenizer.frame(part.contents, direction=part.direction) if part.contents else []
    except TextError as error:
        position = part.positions[error.index]
        raise InvalidInput(f"The text at position {position} cannot be embedded: {error}") from error
    if not part.truncate:
        _refuse_long(part, model.max_tokens)
    if part.room is not None:
        part.room.take(sum(len(each.ids) for each in part.tokenized))
    return [Item(tuple(each.ids), part.output) for each in part.tokenized]


def _refuse_long(part: Part, max_tokens: int) -> None:
    for position, each in zip(part.positions, part.tokenized, strict=True):
        if each.dropped:
            raise InvalidInput(
                f"The text at position {position} has {len(each.ids) + each.dropped} tokens; the model "
                f"takes {max_tokens}. Shorten it, or set `truncate` to true."
            )
