"""The heads that are served: one linear layer and tanh each, as in `models.heads`."""

from dataclasses import dataclass

import numpy as np

from models.runtime.base import Vectors
from models.runtime.native.weights import Affine


@dataclass(frozen=True, slots=True)
class Heads:
    """What stands behind the encoder."""

    mlp: Affine | None = None
    """(hidden, hidden), for `cls_mlp` pooling"""
    grounding: Affine | None = None
    """(grounded, hidden)"""


def through(head: Affine, sentences: Vectors) -> Vectors:
    """(n, hidden) to (n, out)."""
    projected: Vectors = np.tanh(sentences @ head.weight.T + head.bias)
    return projected


def ground(head: Affine, sentences: Vectors) -> Vectors:
    """(n, hidden) to (n, grounded) unit vectors."""
    projected = through(head, sentences)
    projected /= np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-12)
    return projected
