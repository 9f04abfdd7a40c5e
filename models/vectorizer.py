"""Vectorizer: an opened checkpoint, from texts to token ids and from these to finished vectors. For Embedder."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import calibration_texts, ranges_of
from models.config import Pooling
from models.cores import usable_cores
from models.errors import OptionError
from models.prompts import Prompts, Role
from models.quantize import CALIBRATED, Ranges, Vectors, quantize
from models.runtime.base import Device, Precision, PrecisionSetting
from models.serving import open_to_serve
from models.shipped import SHIPPED
from models.text import Tokenized
from models.vectors import Space, VectorForm, code_width, shaped

_CALIBRATED_AT_ONCE = 32


class Vectorizer:
    """
    Any thread may call any method. `_lock` lets one thread at a time into the runtime, a batch at a time. It does not
    survive a fork: open it in the process that uses it.
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
        """Open a model on the fastest runtime for it; a bundle on a processor needs no torch.

        Args:
            model: a model directory, `package:NAME` or a hub id; the shipped checkpoint where left out.
            precision: as for `models.open_runtime`.
            device: likewise.
            threads: how many threads compute; None is one per usable core.
            pooling: use this pooling instead of what the checkpoint says.

        Raises:
            CheckpointError: as `models.load`.
            PrecisionError: as `models.open_runtime`.
        """
        self._checkpoint, self._runtime = open_to_serve(
            str(model), pooling=pooling, precision=precision, device=device, threads=threads or usable_cores()
        )
        self._prompts = Prompts(self._checkpoint.prompts, self._checkpoint.default_prompt_name)
        self._lock = threading.Lock()
        self._calibrated: dict[Space, Vectors] = {}
        self._ranges: dict[tuple[Space, int], Ranges] = {}

    @property
    def name(self) -> str:
        """What answers of the service call the model by."""
        return self._checkpoint.name

    @property
    def fingerprint(self) -> str:
        """64 hex digits over weights, tokenizer, pooling and token limit: vectors of one of them can be compared."""
        return self._checkpoint.fingerprint

    @property
    def dimension(self) -> int:
        """Width of a sentence vector."""
        return self._checkpoint.dimension

    @property
    def grounded_dimension(self) -> int | None:
        """Width of the space shared with images; None where the model has none."""
        return self._checkpoint.grounded_dimension

    @property
    def max_tokens(self) -> int:
        """Longest text in tokens, special tokens included; what is longer is cut."""
        return self._checkpoint.max_tokens

    @property
    def prompts(self) -> Mapping[str, str]:
        """What may stand before a text, by name."""
        return self._prompts.named

    @property
    def precision(self) -> Precision:
        """In what numbers the matrix products are computed."""
        return self._runtime.precision

    @property
    def runtime(self) -> str:
        """What computes, in which numbers, such as `native-bfloat16`."""
        return self._runtime.name

    def prompt_text(self, name: str | None) -> str:
        """What stands before a text: the prompt of that name, or with None the model's default, which may be nothing.

        Raises:
            OptionError: there is no prompt of that name.
        """
        return self._prompts.text_of(name)

    def prompt_for(self, role: Role) -> str:
        """What stands before a query or a document."""
        return self._prompts.text_for(role)

    def tokenize(self, texts: Sequence[str]) -> list[Tokenized]:
        """Token ids of each text, cut at `max_tokens`; the prompt is a part of the text.

        Raises:
            TextError: a text has no content, or is not valid Unicode; `index` says which.
        """
        return self._checkpoint.tokenizer.encode(texts)

    def width_of(self, form: VectorForm) -> int:
        """Numbers in a row of `encode_tokens`.

        Raises:
            OptionError: this model has no vectors of the form.
        """
        width = self.dimension if form.space == "sentence" else self.grounded_dimension
        if width is None:
            raise OptionError(
                "The model has no grounding head, so there is no grounded space. Ask for the space `sentence`."
            )
        if form.dimensions is not None and not 1 <= form.dimensions <= width:
            raise OptionError(f"`dimensions` is {form.dimensions}; it must be between 1 and {width}.")
        return code_width(form.dimensions or width, form.quantization)

    def encode_tokens(self, batch: Sequence[Tokenized], form: VectorForm) -> NDArray[Any]:
        """(n, width) vectors of at least one text: float32, int8 or uint8.

        Raises:
            OptionError: this model has no vectors of the form.
            ArithmeticError: the model answers with numbers that are not finite.
        """
        self.width_of(form)
        with self._lock:
            vectors = self._runtime.encode([each.ids for each in batch])
            if form.space == "grounded":
                vectors = self._runtime.ground(vectors)
        if not np.isfinite(vectors).all():
            raise ArithmeticError("the model answered with numbers that are not finite")
        vectors = shaped(vectors, form)
        ranges = self._ranges_of(form.space, vectors.shape[1]) if form.quantization in CALIBRATED else None
        return quantize(vectors, form.quantization, ranges)

    def states_of(self, batch: Sequence[Tokenized]) -> list[Vectors]:
        """(tokens, dimension) float32 of each text: the last layer's state of every token, before any pooling."""
        with self._lock:
            return self._runtime.states([each.ids for each in batch]) if batch else []

    def _ranges_of(self, space: Space, dimensions: int) -> Ranges:
        """Found at the first need; two threads at once find the same."""
        if (space, dimensions) not in self._ranges:
            self._ranges[space, dimensions] = ranges_of(self._calibration(space), dimensions)
        return self._ranges[space, dimensions]

    def _calibration(self, space: Space) -> Vectors:
        """(texts, width) of the calibration's texts, not normalised."""
        if space not in self._calibrated:
            texts = calibration_texts()
            parts = [texts[at : at + _CALIBRATED_AT_ONCE] for at in range(0, len(texts), _CALIBRATED_AT_ONCE)]
            form = VectorForm(space, normalize=False)
            self._calibrated[space] = np.concatenate([self.encode_tokens(self.tokenize(part), form) for part in parts])
        return self._calibrated[space]
