"""In which form vectors leave: of which space, cut, scaled, in which numbers. Pure functions on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from models.errors import OptionError
from models.quantize import CALIBRATED, Quantization, Vectors

Space = Literal["sentence", "grounded"]
"""The sentence's own vectors, or those shared with images."""


@dataclass(frozen=True, slots=True)
class VectorForm:
    """What is asked for of a vector."""

    space: Space = "sentence"
    normalize: bool = True
    """Scale to length 1, after the cut"""
    dimensions: int | None = None
    """Keep so many numbers, the first ones; None keeps all"""
    quantization: Quantization = "float32"

    def __post_init__(self) -> None:
        """Raises OptionError where two of these cannot be had together."""
        if self.quantization in CALIBRATED and not self.normalize:
            raise OptionError(f"{self.quantization} codes are of vectors of length 1, so they need `normalize`.")


_TYPES: Mapping[Quantization, type[np.generic]] = {
    "float32": np.float32,
    "int8": np.int8,
    "uint8": np.uint8,
    "binary": np.int8,
    "ubinary": np.uint8,
}


def code_type(quantization: Quantization) -> "np.dtype[Any]":
    """Of the numbers that `quantize` gives."""
    return np.dtype(_TYPES[quantization])


def code_width(dimensions: int, quantization: Quantization) -> int:
    """How many of them stand for a vector: bits are eight to a byte."""
    return -(-dimensions // 8) if quantization in ("binary", "ubinary") else dimensions


_TINY = np.finfo(np.float32).tiny


def shaped(vectors: Vectors, form: VectorForm) -> Vectors:
    """(n, width) -> (n, dimensions) float32: cut first, then scaled where asked."""
    cut = vectors[:, : form.dimensions]
    return unit(cut) if form.normalize else np.ascontiguousarray(cut)


def unit(vectors: Vectors) -> Vectors:
    """Each row at length 1; a zero row stays zero."""
    norms = np.sqrt(np.vecdot(vectors, vectors))[:, None]  # as np.linalg.norm, in a third of its time
    scaled: Vectors = vectors / np.maximum(norms, _TINY)
    return scaled
