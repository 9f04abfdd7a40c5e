"""Embedder: a checkpoint in this process, without a server. Its vectors are the service's own, bit for bit.

from models import Embedder

embedder = Embedder()
embedder.encode(["A dog runs.", "Stocks fell."])         # (2, 384) float32
embedder.similarity("A dog runs.", "An animal moves.")   # a cosine
embedder.build_index(sentences)
embedder.search("animals in the snow")                   # [(sentence, cosine), ...]
"""

import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from models.ahead import one_ahead
from models.config import Pooling
from models.errors import TextError, TruncationWarning
from models.quantize import Quantization, Vectors
from models.runtime.base import Device, PrecisionSetting
from models.sentence_index import Hits, SentenceIndex, read_index
from models.shipped import SHIPPED
from models.text import Tokenized
from models.vectorizer import Vectorizer
from models.vectors import Space, VectorForm, code_type, unit

BATCH_SIZE = 1024
"""Texts in one call of the runtime, which sorts them by length and computes no padding."""

Texts: TypeAlias = str | Sequence[str] | NDArray[np.str_]
Side: TypeAlias = Texts | NDArray[Any]


class EncodeOptions(TypedDict, total=False):
    """What `Embedder.encode` takes beside texts and prompts."""

    space: Space
    """`sentence`, which is the default, or `grounded`, which is shared with images"""
    normalize: bool
    """To length 1; True where left out"""
    dimensions: int | None
    """Numbers to keep, the first ones, before the scaling; None keeps all"""
    quantization: Quantization
    """`float32` where left out"""
    truncate: bool
    """True, which is the default, cuts a text that is too long; False refuses it"""
    batch_size: int
    show_progress_bar: bool


@dataclass(frozen=True, slots=True)
class Encoded:
    """Vectors, and what was read of each text."""

    vectors: NDArray[Any]
    """(n, width)"""
    tokens: list[int]
    """Tokens of each text that the model has read, special tokens included"""
    dropped: list[int]
    """Tokens cut off each text; 0 where it fits"""


class Embedder(Vectorizer):
    """
    Any thread may call any method, as with `Vectorizer`. An index is replaced and never changed; `_index_lock` lets one
    thread at a time do that.
    """

    def __init__(
        self,
        model: str | Path = SHIPPED,
        *,
        precision: PrecisionSetting = "auto",
        device: Device = "auto",
        threads: int | None = None,
        pooling: Pooling | None = None,
    ) -> None:
        """As `Vectorizer`."""
        super().__init__(model, precision=precision, device=device, threads=threads, pooling=pooling)
        self._index: SentenceIndex | None = None
        self._index_lock = threading.Lock()

    # --- vectors ---

    def encode(
        self,
        texts: Texts,
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        **options: Unpack[EncodeOptions],
    ) -> NDArray[Any]:
        """Vectors. Of a text that is longer than the model reads the beginning is embedded, with a TruncationWarning.

        Args:
            texts: one, or several.
            prompt_name: which of the model's prompts stands before each text; None is its default prompt.
            prompt: a text of your own to stand there instead.
            options: see `EncodeOptions`.

        Returns:
            (width,) for one text, (n, width) for several: float32, int8 or uint8.

        Raises:
            TextError: a text has no content, is not valid Unicode, or is too long and may not be cut; a ValueError.
            OptionError: the model does not have what was asked for; a ValueError.
        """
        return self._encode(texts, self.prompt_text(prompt_name) if prompt is None else prompt, options)

    def encode_query(self, texts: Texts, **options: Unpack[EncodeOptions]) -> NDArray[Any]:
        """`encode` with the prompt `query`, where the model has it."""
        return self._encode(texts, self.prompt_for("query"), options)

    def encode_document(self, texts: Texts, **options: Unpack[EncodeOptions]) -> NDArray[Any]:
        """`encode` with the prompt `document` or else `passage`, where the model has one of them."""
        return self._encode(texts, self.prompt_for("document"), options)

    def encode_with_details(
        self,
        texts: Texts,
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        **options: Unpack[EncodeOptions],
    ) -> Encoded:
        """As `encode`, with what was read and what was cut off of each text. One text is a row too; nobody is warned.

        Raises what `encode` does.
        """
        return self._details(texts, self.prompt_text(prompt_name) if prompt is None else prompt, **options)

    @overload
    def similarity(self, a: str, b: str, *, space: Space = "sentence") -> float: ...
    @overload
    def similarity(self, a: Side, b: Side, *, space: Space = "sentence") -> Any: ...
    def similarity(self, a: Side, b: Side, *, space: Space = "sentence") -> Any:
        """Cosines between texts, vectors, or the ones and the others.

        Args:
            a: a text or several, (width,) a vector or (n, width) several.
            b: likewise.
            space: where texts are embedded.

        Returns:
            (n, m) float32; a side that is one text or one vector has no axis, and with two such sides it is a float.

        Raises what `encode` does.
        """
        cosines = np.clip(self._rows(a, space) @ self._rows(b, space).T, -1.0, 1.0)
        found = cosines[0 if _is_one(a) else slice(None)]
        found = found[..., 0] if _is_one(b) else found
        return float(found) if found.ndim == 0 else found

    def token_states(self, texts: Sequence[str], *, prompt_name: str | None = None) -> list[Vectors]:
        """(tokens, dimension) of each text: the state of every token that is read, special ones included. Not pooled.

        Raises what `encode` does.
        """
        prompt = self.prompt_text(prompt_name)
        return self.states_of(self._tokenized([prompt + text for text in _listed(texts)], 0, truncate=True))

    # --- search ---

    def build_index(self, sentences: Sequence[str] | str | Path, *, space: Space = "sentence") -> None:
        """Make sentences searchable instead of those that were; a string or a path names a file with one a line.

        Raises what `encode` does, and OSError or UnicodeDecodeError for the file.
        """
        listed = _sentences(sentences)
        vectors = self.encode_document(listed, space=space)
        with self._index_lock:
            self._index = SentenceIndex(tuple(listed), vectors, space, self.fingerprint)

    def add_to_index(self, sentences: Sequence[str] | str | Path) -> None:
        """Make more sentences searchable; each call copies the index. Raises what `build_index` does."""
        listed = _sentences(sentences)
        vectors = self.encode_document(listed, space=self._searched().space)
        with self._index_lock:
            self._index = self._searched().with_more(listed, vectors)

    def save_index(self, path: str | Path) -> None:
        """Write sentences and vectors to one file, which appears whole or not at all."""
        self._searched().save(Path(path))

    def load_index(self, path: str | Path) -> None:
        """Search in what `save_index` wrote.

        Raises:
            CheckpointError: another model made it, or it is no such file.
        """
        index = read_index(Path(path), fingerprint=self.fingerprint)
        with self._index_lock:
            self._index = index

    @overload
    def search(  # type: ignore[overload-overlap]  # a str is a sequence of str too; the first one that fits is taken
        self, queries: str, *, top_k: int = 5, threshold: float | None = None
    ) -> Hits: ...
    @overload
    def search(self, queries: Sequence[str], *, top_k: int = 5, threshold: float | None = None) -> list[Hits]: ...
    def search(self, queries: Texts, *, top_k: int = 5, threshold: float | None = None) -> Hits | list[Hits]:
        """The `top_k` nearest sentences of the index, exactly, with a cosine of at least `threshold`.

        Returns:
            [(sentence, cosine), ...], the nearest first; for several queries a list of such.

        Raises what `encode` does; LookupError where there is no index.
        """
        index = self._searched()
        vectors = np.atleast_2d(self.encode_query(queries, space=index.space))
        found = index.search(vectors, top_k=top_k, threshold=threshold)
        return found[0] if isinstance(queries, str) else found

    # --- inside ---

    def _encode(self, texts: Texts, prompt: str, options: EncodeOptions) -> NDArray[Any]:
        encoded = self._details(texts, prompt, **options)
        cut = sum(dropped > 0 for dropped in encoded.dropped)
        if cut:
            warnings.warn(
                f"{cut} of {len(encoded.dropped)} texts are longer than the {self.max_tokens} tokens that the model "
                "reads; their beginning was embedded. `encode_with_details` tells which; `truncate=False` refuses.",
                TruncationWarning,
                stacklevel=3,
            )
        return encoded.vectors[0] if isinstance(texts, str) else encoded.vectors

    def _details(
        self,
        texts: Texts,
        prompt: str,
        *,
        space: Space = "sentence",
        normalize: bool = True,
        dimensions: int | None = None,
        quantization: Quantization = "float32",
        truncate: bool = True,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool = False,
    ) -> Encoded:
        form = VectorForm(space, normalize, dimensions, quantization)
        blocks = [np.empty((0, self.width_of(form)), code_type(quantization))]
        tokens: list[int] = []
        dropped: list[int] = []
        batches = self._batches(_listed(texts), prompt, truncate, batch_size, show_progress_bar)
        for batch in batches:
            blocks.append(self.encode_tokens(batch, form))
            tokens += [len(each.ids) for each in batch]
            dropped += [each.dropped for each in batch]
        return Encoded(np.concatenate(blocks), tokens, dropped)

    def _batches(
        self, texts: Sequence[str], prompt: str, truncate: bool, batch_size: int, show_progress_bar: bool
    ) -> Iterator[list[Tokenized]]:
        """Tokenized; where there are several, one is made while the one before it is encoded."""
        starts = range(0, len(texts), batch_size)
        parts = ((start, [prompt + text for text in texts[start : start + batch_size]]) for start in starts)
        batches = (self._tokenized(part, start, truncate) for start, part in parts)
        if len(starts) > 1:
            batches = one_ahead(batches)
        return _shown(batches, len(starts)) if show_progress_bar else batches

    def _tokenized(self, texts: Sequence[str], start: int, truncate: bool) -> list[Tokenized]:
        try:
            tokenized = self.tokenize(texts)
        except TextError as error:
            position = start + error.index
            raise TextError(position, f"The text at position {position} cannot be embedded: {error}") from error
        for position, each in enumerate(tokenized, start):
            if each.dropped and not truncate:
                raise TextError(
                    position,
                    f"The text at position {position} has {len(each.ids) + each.dropped} tokens; the model takes "
                    f"{self.max_tokens}. Shorten it, or allow `truncate`.",
                )
        return tokenized

    def _rows(self, side: Side, space: Space) -> Vectors:
        """(n, width) unit vectors."""
        if isinstance(side, np.ndarray) and side.dtype.kind in "fiu":
            return unit(np.atleast_2d(side).astype(np.float32))
        texts: Texts = side.tolist() if isinstance(side, np.ndarray) else side
        return np.atleast_2d(self._encode(texts, self.prompt_text(None), {"space": space}))

    def _searched(self) -> SentenceIndex:
        if self._index is None:
            raise LookupError("There is nothing to search in: call `build_index` or `load_index` first.")
        return self._index


def _is_one(side: Side) -> bool:
    return isinstance(side, str) or (isinstance(side, np.ndarray) and side.dtype.kind in "fiu" and side.ndim == 1)


def _listed(texts: Texts) -> list[str]:
    listed = [texts] if isinstance(texts, str) else list(texts)
    for position, text in enumerate(listed):
        if not isinstance(text, str):
            raise TypeError(
                f"What stands at position {position} is of the type {type(text).__name__}; a text is a str."
            )
    return listed


def _sentences(given: Sequence[str] | str | Path) -> list[str]:
    """Those of a file without its empty lines."""
    if not isinstance(given, str | Path):
        return _listed(given)
    lines = Path(given).read_text(encoding="utf-8-sig").split("\n")
    return [line.removesuffix("\r") for line in lines if line.strip()]


def _shown(batches: Iterator[list[Tokenized]], count: int) -> Iterator[list[Tokenized]]:
    from rich.console import Console
    from rich.progress import track

    return iter(track(batches, description="encoding", total=count, console=Console(stderr=True)))
