"""A few texts of one request, on their way to being tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from models.errors import TextError
from service.engine.space import Space
from service.errors import InvalidInput
from service.model import ServedModel, Tokens

# Texts tokenized in one go: a large request gives way to small ones after at most this many.
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Item:
    """What the encoder is asked for; equal ones have the same vector."""

    ids: tuple[int, ...]
    space: Space


@dataclass(slots=True)
class Part:
    """Texts and their positions in the request; `tokenized` is filled by `tokenize`."""

    texts: Sequence[str]
    positions: Sequence[int]
    space: Space
    truncate: bool
    tokenized: list[Tokens] = field(default_factory=list)


def parts_of(texts: Sequence[str], positions: Sequence[int], space: Space, truncate: bool) -> Iterator[Part]:
    """The texts at `positions`, AT_ONCE at a time."""
    for start in range(0, len(positions), AT_ONCE):
        some = positions[start : start + AT_ONCE]
        yield Part([texts[position] for position in some], some, space, truncate)


def tokenize(part: Part, model: ServedModel) -> list[Item]:
    """Fill `tokenized`, and say what is to be encoded.

    Raises InvalidInput for a text without content, and for one that does not fit where it may not be cut.
    """
    try:
        part.tokenized += model.tokenizer.encode(part.texts)
    except TextError as error:
        position = part.positions[error.index]
        raise InvalidInput(f"The text at position {position} cannot be embedded: {error}") from error
    if not part.truncate:
        _refuse_long(part, model.max_tokens)
    return [Item(tuple(each.ids), part.space) for each in part.tokenized]


def _refuse_long(part: Part, max_tokens: int) -> None:
    for position, each in zip(part.positions, part.tokenized, strict=True):
        if each.dropped:
            raise InvalidInput(
                f"The text at position {position} has {len(each.ids) + each.dropped} tokens; the model "
                f"takes {max_tokens}. Shorten it, or set `truncate` to true."
            )
