"""SentenceIndex: sentences in memory with their vectors, searched exactly, kept in one file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from models.errors import CheckpointError
from models.files import write_durably
from models.manifest import require_file
from models.quantize import Vectors
from models.vectors import Space

Hits = list[tuple[str, float]]
"""Sentences with their cosines, the nearest first."""

_FORMAT = "1"
_SCORES = 4_194_304  # computed at a time: 16 MB


@dataclass(frozen=True, slots=True)
class SentenceIndex:
    """Never changed: adding makes another one, so a search on one thread is not disturbed by another thread."""

    sentences: tuple[str, ...]
    vectors: Vectors
    """(sentences, width), each row at length 1"""
    space: Space
    fingerprint: str
    """Of the model that made the vectors"""

    def with_more(self, sentences: Sequence[str], vectors: Vectors) -> "SentenceIndex":
        """An index of these sentences too; it copies all vectors."""
        both = np.concatenate([self.vectors, vectors])
        return SentenceIndex((*self.sentences, *sentences), both, self.space, self.fingerprint)

    def search(self, queries: Vectors, *, top_k: int, threshold: float | None) -> list[Hits]:
        """For each of (n, width) unit vectors, the `top_k` nearest sentences of at least the score `threshold`."""
        rows = max(1, _SCORES // max(1, len(self.sentences)))
        blocks = [queries[start : start + rows] for start in range(0, len(queries), rows)]
        return [self._hits(scores, top_k, threshold) for block in blocks for scores in block @ self.vectors.T]

    def save(self, path: Path) -> None:
        """Write one safetensors file: it appears whole or not at all."""
        words = np.frombuffer(json.dumps(self.sentences, ensure_ascii=False).encode(), np.uint8)
        about = {"format": _FORMAT, "space": self.space, "fingerprint": self.fingerprint}
        write_durably(path, save({"vectors": self.vectors, "sentences": words}, about))

    def _hits(self, scores: Vectors, top_k: int, threshold: float | None) -> Hits:
        """Of equal scores, the sentence that was there first is first."""
        kept = np.arange(len(scores))
        if top_k < len(scores):
            lowest = np.partition(scores, len(scores) - top_k)[len(scores) - top_k]
            kept = np.flatnonzero(scores >= lowest)
        best = kept[np.argsort(-scores[kept], kind="stable")][:top_k]
        return [
            (self.sentences[row], float(scores[row])) for row in best if threshold is None or scores[row] >= threshold
        ]


def read_index(path: Path, *, fingerprint: str) -> SentenceIndex:
    """What `save` wrote, with a model of this fingerprint.

    Raises:
        CheckpointError: it is of another model, or no such file.
        FileNotFoundError: there is none.
    """
    if path.exists():
        require_file(path)
    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata() or {}
            vectors, words = file.get_tensor("vectors"), file.get_tensor("sentences")
        sentences = json.loads(words.tobytes())
    except (SafetensorError, ValueError, RecursionError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path}: this is no index of sentences ({str(error)[:200]}). Build it again.") from error
    if about.get("format") != _FORMAT or not _fit(sentences, vectors):
        raise CheckpointError(f"{path}: this is no index of sentences of this release. Build it again.")
    made_by = about.get("fingerprint", "")
    if made_by != fingerprint:
        found, wanted = made_by[:12], fingerprint[:12]
        raise CheckpointError(
            f"{path}: another model made these vectors (fingerprint {found}, and this model's is {wanted}). "
            "Open that model, or build the index again."
        )
    space: Space = "grounded" if about.get("space") == "grounded" else "sentence"
    return SentenceIndex(tuple(sentences), vectors, space, made_by)


def _fit(sentences: object, vectors: Vectors) -> bool:
    return (
        isinstance(sentences, list)
        and all(isinstance(sentence, str) for sentence in sentences)
        and vectors.ndim == 2
        and vectors.dtype == np.float32
        and len(sentences) == len(vectors)
    )
