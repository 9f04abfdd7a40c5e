"""Transfer: what a linear classifier can read out of frozen sentence vectors."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score  # type: ignore[import-untyped]

from training.evaluation.classify import Vectors, accuracy, cross_validated, held_out, nested
from training.evaluation.sts import Encode
from training.evaluation.tasks import MRPC_F1, Examples, read_task


def score_task(name: str, data: Path, encode: Encode) -> dict[str, float]:
    """Accuracy x 100 on the test part of a task, or by cross-validation where it has none; for MRPC F1 too.

    Raises:
        DataError: see `read_task`.
    """
    parts = read_task(name, data)
    vectors = _features(parts, encode)
    if len(vectors) == 1:
        return {name: nested(vectors[0])}
    test = vectors[-1]
    predicted = held_out(*vectors) if len(vectors) == 3 else cross_validated(*vectors)
    scores = {name: accuracy(predicted, test.labels) * 100}
    if name == "MRPC":
        scores[MRPC_F1] = float(f1_score(test.labels, predicted)) * 100
    return scores


def _features(parts: list[Examples], encode: Encode) -> list[Vectors]:
    """Sentence vectors as they are; for pairs |u - v| beside u * v. Each distinct sentence is encoded once."""
    sentences = sorted({text for part in parts for texts in part.texts for text in texts})
    row_of = {sentence: row for row, sentence in enumerate(sentences)}
    vectors = encode(sentences).astype(np.float64)

    def features(part: Examples) -> NDArray[np.float64]:
        sides = [vectors[[row_of[text] for text in side]] for side in zip(*part.texts, strict=True)]
        if len(sides) == 1:
            return sides[0]
        first, second = sides
        return np.concatenate([np.abs(first - second), first * second], axis=1)

    return [Vectors(features(part), part.labels) for part in parts]
