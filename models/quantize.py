"""Vectors in fewer bytes: a code of eight bits, or one bit, for each number.

The codes of int8 and uint8 divide a range into 255 equal steps. The range is a property of the checkpoint
(`models.calibration`) and never of what is encoded together, so a vector has one code whatever is beside it.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

Quantization = Literal["float32", "int8", "uint8", "binary", "ubinary"]
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)
CALIBRATED: frozenset[Quantization] = frozenset({"int8", "uint8"})
"""Those that need ranges."""

_STEPS = 255
_HALF = 128  # between uint8 and int8


@dataclass(frozen=True, slots=True)
class Ranges:
    """What int8 and uint8 tell apart in every dimension; numbers beyond have the code of the nearest end.

    The ranges of all dimensions are one, because then codes can be compared as the vectors themselves: by dot product
    and cosine those of int8, by Euclidean distance both.
    """

    lowest: float
    highest: float

    def __post_init__(self) -> None:
        """Raises ValueError where nothing is between the two."""
        if not -math.inf < self.lowest < self.highest < math.inf:
            raise ValueError(f"a range from {self.lowest} to {self.highest} is none; expected two ends, both finite")

    @property
    def step(self) -> float:
        """By how much the numbers of neighbouring codes differ."""
        return (self.highest - self.lowest) / _STEPS


def quantize(vectors: Vectors, kind: Quantization, ranges: Ranges | None = None) -> NDArray[Any]:
    """Codes of vectors.

    Args:
        vectors: (n, width) float32, finite; of unit length for int8 and uint8.
        kind: what to make of them.
        ranges: of these vectors' checkpoint, space and width; int8 and uint8 need them.

    Returns:
        (n, width) float32, int8 or uint8; for the two of bits (n, width / 8 rounded up). A bit is set for a number
        above zero, the first dimension is the highest bit of the first byte; `binary` is `ubinary` less 128 as int8.

    Raises:
        ValueError: the ranges are missing.
    """
    if kind == "float32":
        return vectors
    if kind in CALIBRATED:
        codes = _codes(vectors, ranges)
        return codes if kind == "uint8" else _signed(codes)
    bits = np.packbits(vectors > 0, axis=-1)
    return bits if kind == "ubinary" else _signed(bits)


def _codes(vectors: Vectors, ranges: Ranges | None) -> NDArray[np.uint8]:
    if ranges is None:
        raise ValueError("int8 and uint8 need the ranges of the checkpoint")
    codes = (vectors - np.float32(ranges.lowest)) / np.float32(ranges.step)
    return np.clip(np.rint(codes, out=codes), 0, _STEPS, out=codes).astype(np.uint8)


def _signed(codes: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Less 128, by turning the highest bit over."""
    return (codes ^ np.uint8(_HALF)).view(np.int8)
