"""From text to token ids: one rule for what counts as content, where to cut, and what was cut."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Encoding, Tokenizer

from models.config import Direction
from models.errors import CheckpointError, TextError


@dataclass(frozen=True, slots=True)
class Tokenized:
    """One text as the encoder takes it."""

    ids: list[int]
    """Token ids, special tokens included, at most `max_tokens`."""
    dropped: int
    """How many tokens were cut off; 0 where the whole text fits."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a text, and where it stands in it."""

    id: int
    text: str
    """The piece of the text that it stands for; its own name where it is special"""
    special: bool
    """Whether the tokenizer put it there"""
    start: int | None
    """In characters; None where it is special"""
    stop: int | None


class TextTokenizer:
    """A checkpoint's tokenizer without its mutable settings.

    Hugging Face's fast tokenizers keep truncation and padding as state and fail with "Already borrowed" when
    two threads change it. Here both stay off and the cut is made on the result, so one object serves all threads.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int, pad_id: int, mask_id: int | None = None) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.pad_id = pad_id
        self.mask_id = mask_id
        self._content_limit = max_tokens - tokenizer.num_special_tokens_to_add(is_pair=False)
        if self._content_limit < 1:
            raise CheckpointError(
                f"The tokenizer puts {max_tokens - self._content_limit} special tokens around a text, and the model "
                f"reads {max_tokens} tokens in all, so nothing of a text would be left. Fetch the model again."
            )
        self._before, self._after = _special_ids(tokenizer)
        self.vocabulary_size = tokenizer.get_vocab_size(with_added_tokens=True)
        """Token ids are below this."""

    @classmethod
    def from_directory(cls, directory: Path, *, max_tokens: int) -> "TextTokenizer":
        """Read the tokenizer of a Hugging Face model directory.

        Raises:
            CheckpointError: there is no tokenizer, or only a slow one.
        """
        from transformers import AutoTokenizer, PreTrainedTokenizerFast

        with _told_of(directory, "Put the tokenizer.json of the base model beside the weights."):
            loaded = AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
            if not isinstance(loaded, PreTrainedTokenizerFast):
                raise CheckpointError(
                    f"{directory}: the tokenizer is {type(loaded).__name__}, which has no fast form. "
                    "Convert it to tokenizer.json first."
                )
            return cls(
                Tokenizer.from_str(loaded.backend_tokenizer.to_str()),
                max_tokens=max_tokens,
                pad_id=loaded.pad_token_id or 0,
                mask_id=loaded.mask_token_id,
            )

    @classmethod
    def from_file(cls, path: Path, *, max_tokens: int, pad_id: int) -> "TextTokenizer":
        """Read a `tokenizer.json` as it stands, which needs no transformers.

        Raises:
            CheckpointError: it cannot be read.
        """
        with _told_of(path, "Fetch or export the model again."):
            return cls(Tokenizer.from_file(str(path)), max_tokens=max_tokens, pad_id=pad_id)

    def require_known(self, rows: int) -> None:
        """Refuse a tokenizer that frames every text by tokens that a model with so many embeddings does not have.

        Raises:
            CheckpointError: says which token.
        """
        for token in (*self._before, *self._after):
            if token >= rows:
                raise CheckpointError(
                    f"The tokenizer frames texts by the token {token}, and the model has {rows}. They do not belong "
                    "together; fetch the model again."
                )

    def encode(self, texts: Sequence[str], *, direction: Direction = "right") -> list[Tokenized]:
        """Token ids of each text, cut at `max_tokens`; `left` keeps the end of a text.

        Raises:
            TextError: a text has no token content, or holds a lone surrogate; `index` says which.
        """
        try:
            encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        except (UnicodeEncodeError, TypeError) as error:
            raise _not_unicode(texts) from error
        return [self._finish(index, encoding, direction) for index, encoding in enumerate(encodings)]

    def frame(self, contents: Sequence[Sequence[int]], *, direction: Direction = "right") -> list[Tokenized]:
        """Ids that a caller made with this tokenizer, with or without the special tokens around them, as `encode` does.

        Raises:
            TextError: there are none, or one is not in the vocabulary; `index` says of which text.
        """
        return [self._framed(index, ids, direction) for index, ids in enumerate(contents)]

    def tokens(self, texts: Sequence[str], *, special: bool) -> list[list[Token]]:
        """Every token of each text, uncut; with `special`, those around it too.

        Raises:
            TextError: a text holds a lone surrogate; `index` says which.
        """
        try:
            encodings = self._tokenizer.encode_batch(texts, add_special_tokens=special)
        except (UnicodeEncodeError, TypeError) as error:
            raise _not_unicode(texts) from error
        return [_tokens(text, encoding) for text, encoding in zip(texts, encodings, strict=True)]

    def decode(self, contents: Sequence[Sequence[int]], *, skip_special: bool) -> list[str]:
        """The text of each list of ids.

        Raises:
            TextError: an id is not in the vocabulary; `index` says in which list.
        """
        for index, ids in enumerate(contents):
            self._check(index, ids)
        return self._tokenizer.decode_batch(contents, skip_special_tokens=skip_special)

    def to_json(self) -> str:
        """The whole tokenizer as JSON; part of a checkpoint's fingerprint."""
        return self._tokenizer.to_str()

    def _finish(self, index: int, encoding: Encoding, direction: Direction) -> Tokenized:
        content = len(encoding)
        if content == 0:
            raise TextError(
                index,
                "the text has no content: nothing in it becomes a token "
                "(empty, only spaces, or only invisible characters)",
            )
        encoding.truncate(self._content_limit, direction=direction)
        whole = self._tokenizer.post_process(encoding)
        return Tokenized(ids=whole.ids, dropped=max(0, content - self._content_limit))

    def _framed(self, index: int, ids: Sequence[int], direction: Direction) -> Tokenized:
        self._check(index, ids)
        content, last = [*ids], len(ids) - len(self._after)
        if last >= len(self._before) and (content[: len(self._before)], content[last:]) == (self._before, self._after):
            content = content[len(self._before) : last]
        if not content:
            raise TextError(index, "there are no token ids")
        dropped = max(0, len(content) - self._content_limit)
        kept = content[dropped:] if direction == "left" else content[: self._content_limit]
        return Tokenized(ids=[*self._before, *kept, *self._after], dropped=dropped)

    def _check(self, index: int, ids: Sequence[int]) -> None:
        if ids and not (min(ids) >= 0 and max(ids) < self.vocabulary_size):
            raise TextError(index, f"its token ids are not all from 0 to {self.vocabulary_size - 1}")


@contextmanager
def _told_of(path: Path, cure: str) -> Iterator[None]:
    """Turn whatever the libraries raise of a tokenizer into a CheckpointError; a panic of theirs is no Exception."""
    try:
        yield
    except CheckpointError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise CheckpointError(f"{path}: no tokenizer could be read ({type(error).__name__}). {cure}") from error


def _special_ids(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Those before the content of a text, and those after it."""
    probe = tokenizer.encode("a")
    special = probe.special_tokens_mask
    if all(special):
        return probe.ids, []
    first, last = special.index(0), len(special) - special[::-1].index(0)
    return probe.ids[:first], probe.ids[last:]


def _tokens(text: str, encoding: Encoding) -> list[Token]:
    parts = zip(encoding.ids, encoding.tokens, encoding.special_tokens_mask, encoding.offsets, strict=True)
    return [
        Token(id_, name, True, None, None) if special else Token(id_, text[start:stop], False, start, stop)
        for id_, name, special, (start, stop) in parts
    ]


def _not_unicode(texts: Sequence[str]) -> TextError:
    for index, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError:
            return TextError(index, "the text is not valid Unicode: it holds half of a surrogate pair")
    return TextError(0, "the text could not be read as Unicode")
