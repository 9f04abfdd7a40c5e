"""Quantised vectors by the ranges of the served checkpoint, which are found once and then read from a file."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from models.calibration import bounds_of, calibration_texts, ranges_within, texts_digest
from models.files import read_small, write_durably
from models.quantize import CALIBRATED, Quantization, Ranges, Vectors, quantize
from service.engine.space import Space
from service.errors import EncodeFailed
from service.model import Encoder, ServedModel

FILE = "calibration.json"
AT_ONCE = 32  # texts, so that callers' batches come in between
NUMBERS_AT_ONCE = 131_072  # quantised in one go, which takes a millisecond; then the event loop has other things to do

Bounds = dict[Space, list[float]]
"""By space, the bound for each number of dimensions from 1 to all."""
OnComputeThread = Callable[[Callable[[], Bounds]], Awaitable[Bounds]]

log = structlog.get_logger()


class Calibration:
    """The ranges of each space and width. Used on the event loop; encodes on the compute thread, at the first need."""

    def __init__(self, model: ServedModel, encoder: Encoder, run: OnComputeThread, data_dir: Path) -> None:
        self._model = model
        self._encoder = encoder
        self._run = run
        self._memory = Remembered(data_dir, model)
        self._lock = asyncio.Lock()
        self._bounds: Bounds | None = None

    async def quantized(self, vectors: Vectors, kind: Quantization, space: Space) -> NDArray[Any]:
        """(n, dimensions) vectors of unit length, cut or whole, to what `models.quantize.quantize` makes of them."""
        if kind == "float32":
            return vectors
        ranges = await self.ranges(space, vectors.shape[1]) if kind in CALIBRATED else None
        rows = max(1, NUMBERS_AT_ONCE // max(1, vectors.shape[1]))
        blocks = [quantize(vectors[:rows], kind, ranges)]
        for start in range(rows, len(vectors), rows):
            await asyncio.sleep(0)
            blocks.append(quantize(vectors[start : start + rows], kind, ranges))
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    async def ranges(self, space: Space, dimensions: int) -> Ranges:
        """Of vectors of this space that are cut to `dimensions`; raises EncodeFailed and Unavailable."""
        if self._bounds is None:
            async with self._lock:
                if self._bounds is None:
                    self._bounds = await asyncio.to_thread(self._memory.read) or await self._found()
        return ranges_within(self._bounds[space][dimensions - 1])

    async def _found(self) -> Bounds:
        texts = calibration_texts()
        parts = [texts[at : at + AT_ONCE] for at in range(0, len(texts), AT_ONCE)]
        found = [await self._run(partial(self._bounds_of, part)) for part in parts]
        bounds: Bounds = {space: np.max([each[space] for each in found], axis=0).tolist() for space in found[0]}
        if not all(map(_usable, bounds.values())):
            raise EncodeFailed("The model could not encode the texts of the calibration; ask for float32 or binary.")
        await asyncio.to_thread(self._memory.write, bounds)
        log.info("calibrated", texts=len(texts))
        return bounds

    def _bounds_of(self, texts: Sequence[str]) -> Bounds:
        """Compute thread."""
        sentences = self._encoder.encode([text.ids for text in self._model.tokenizer.encode(texts)])
        found: Bounds = {"sentence": bounds_of(sentences).tolist()}
        if self._model.grounded_dimension is not None:
            found["grounded"] = bounds_of(self._encoder.ground(sentences)).tolist()
        return found


class Remembered:
    """The bounds in a file of the data directory. They hold for one checkpoint, on every machine.

    The file is only a memory: one that is missing, damaged or of another checkpoint is made anew.
    """

    def __init__(self, data_dir: Path, model: ServedModel) -> None:
        self._path = data_dir / FILE
        self._of = {"fingerprint": model.fingerprint, "texts": texts_digest()}
        self._widths: dict[Space, int] = {"sentence": model.dimension}
        if model.grounded_dimension is not None:
            self._widths["grounded"] = model.grounded_dimension

    def read(self) -> Bounds | None:
        """What is remembered of just this checkpoint."""
        try:
            content = json.loads(read_small(self._path))
            known = content["of"] == self._of
            bounds: Bounds = {space: [*map(float, content["bounds"][space])] for space in self._widths}
        except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
            return None
        fitting = all(len(bounds[space]) == width for space, width in self._widths.items())
        return bounds if known and fitting and all(map(_usable, bounds.values())) else None

    def write(self, bounds: Mapping[Space, Sequence[float]]) -> None:
        """Remember them; a disk that takes nothing is told of in the log, because only the next start is slower."""
        try:
            write_durably(self._path, json.dumps({"of": self._of, "bounds": bounds}).encode())
        except OSError as error:
            log.warning("calibration_not_kept", file=str(self._path), reason=error.strerror)


def _usable(bounds: Sequence[float]) -> bool:
    """Numbers of unit vectors are not above 1, and rounding up stays there."""
    return all(0 < bound <= 1 for bound in bounds)
