"""Quantised vectors by the ranges of the served checkpoint, which are found once and then read from a file."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from models.calibration import calibration_texts, ranges_of, texts_digest
from models.files import write_durably
from models.quantize import CALIBRATED, Quantization, Ranges, Vectors, quantize
from service.engine.space import Space
from service.model import Encoder, ServedModel

FILE = "calibration.safetensors"
AT_ONCE = 32  # texts, so that callers' batches come in between
NUMBERS_AT_ONCE = 131_072  # quantised in one go, which takes a millisecond; then the event loop has other things to do

OnComputeThread = Callable[[Callable[[], Vectors]], Awaitable[Vectors]]

log = structlog.get_logger()


class Calibration:
    """The ranges of each space and width. Used on the event loop; encodes on the compute thread, at the first need.

    What is kept in the data directory are the vectors of the calibration's texts, because each width has ranges of its
    own. The file is only a memory: one that is missing, damaged or of another checkpoint is made anew.
    """

    def __init__(self, model: ServedModel, encoder: Encoder, run: OnComputeThread, data_dir: Path) -> None:
        self._model = model
        self._encoder = encoder
        self._run = run
        self._path = data_dir / FILE
        self._lock = asyncio.Lock()
        self._vectors: Mapping[Space, Vectors] = {}
        self._ranges: dict[tuple[Space, int], Ranges] = {}

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
        """Of vectors of this space that are cut to `dimensions`."""
        if (space, dimensions) not in self._ranges:
            async with self._lock:
                if not self._vectors:
                    self._vectors = await self._remembered() or await self._found()
            self._ranges[space, dimensions] = ranges_of(self._vectors[space], dimensions)
        return self._ranges[space, dimensions]

    async def _remembered(self) -> Mapping[Space, Vectors] | None:
        return await asyncio.to_thread(_read, self._path, self._of(), self._widths())

    async def _found(self) -> Mapping[Space, Vectors]:
        texts = calibration_texts()
        parts = [texts[at : at + AT_ONCE] for at in range(0, len(texts), AT_ONCE)]
        sentences = np.concatenate([await self._run(partial(self._encode, part)) for part in parts])
        found: dict[Space, Vectors] = {"sentence": sentences}
        if self._model.grounded_dimension is not None:
            found["grounded"] = await self._run(lambda: self._encoder.ground(sentences))
        await asyncio.to_thread(_write, self._path, found, self._of())
        log.info("calibrated", texts=len(texts), file=str(self._path))
        return found

    def _encode(self, texts: Sequence[str]) -> Vectors:
        return self._encoder.encode([text.ids for text in self._model.tokenizer.encode(texts)])

    def _of(self) -> dict[str, str]:
        return {"fingerprint": self._model.fingerprint, "texts": texts_digest()}

    def _widths(self) -> dict[Space, int]:
        widths: dict[Space, int] = {"sentence": self._model.dimension}
        if self._model.grounded_dimension is not None:
            widths["grounded"] = self._model.grounded_dimension
        return widths


def _read(path: Path, of: Mapping[str, str], widths: Mapping[Space, int]) -> Mapping[Space, Vectors] | None:
    try:
        with safe_open(path, framework="np") as file:
            if file.metadata() != of:
                return None
            found: dict[Space, Vectors] = {space: file.get_tensor(space) for space in widths}
    except (OSError, SafetensorError):
        return None
    right = all(found[space].shape[1:] == (width,) for space, width in widths.items())
    return found if right and all(np.isfinite(vectors).all() for vectors in found.values()) else None


def _write(path: Path, vectors: Mapping[Space, Vectors], of: dict[str, str]) -> None:
    """A disk that takes nothing is told of in the log, because only the next start is slower."""
    try:
        write_durably(path, save({space: np.ascontiguousarray(each) for space, each in vectors.items()}, of))
    except OSError as error:
        log.warning("calibration_not_kept", file=str(path), reason=error.strerror)
