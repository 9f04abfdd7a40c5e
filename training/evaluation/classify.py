"""Logistic regression as SentEval trains it on frozen vectors: how its strength is chosen, and on what it is scored.

SentEval's grid is searched with scikit-learn's LogisticRegression. Its solver here is newton-cholesky, run to
convergence from the weights of the next stronger penalty: the optimum does not depend on the solver, and for a few
hundred dimensions this is the fastest way there. More than two classes are told one against the rest. Folds are spread
over the cores with one BLAS thread each, since the matrices are too small for more.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.model_selection import StratifiedKFold  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

FOLDS = 10
_SEED = 1111
_NESTED_GRID = tuple(2.0**t for t in range(-2, 4))
_CROSS_VALIDATED_GRID = tuple(2.0**t for t in range(-1, 6))

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Examples as a classifier takes them."""

    features: NDArray[np.float64]
    """(n, width)"""
    labels: Labels
    """(n,) 0 to classes - 1"""

    def __getitem__(self, rows: NDArray[np.int64]) -> "Vectors":
        """Some of the examples."""
        return Vectors(self.features[rows], self.labels[rows])

    def folds(self) -> "Iterator[Fold]":
        """Ten splits into training and test examples, each with the share of classes of the whole."""
        splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=_SEED)
        for train, test in splitter.split(self.features, self.labels):
            yield self[train], self[test]


Fold = tuple[Vectors, Vectors]
"""Training and test examples"""


def nested(examples: Vectors) -> float:
    """Accuracy x 100 by ten-fold cross-validation, with C chosen in each fold by ten folds of its training part.

    For MR, CR, SUBJ and MPQA, which have no test part.
    """

    def score(fold: Fold) -> list[float]:
        train, _ = fold
        strength = _best(_NESTED_GRID, [_scores(inner, _NESTED_GRID) for inner in train.folds()])
        return _scores(fold, [strength])

    return float(np.mean(_on_all_cores(score, examples.folds()))) * 100


def cross_validated(train: Vectors, test: Vectors) -> Labels:
    """Predictions for the test part, with C chosen by ten folds of the training part: TREC and MRPC."""
    scores = _on_all_cores(lambda fold: _scores(fold, _CROSS_VALIDATED_GRID), train.folds())
    strength = _best(_CROSS_VALIDATED_GRID, scores)
    (predicted,) = _predictions(train, test.features, [strength])
    return predicted


def held_out(train: Vectors, dev: Vectors, test: Vectors) -> Labels:
    """Predictions for the test part, with C chosen by the development part: SST."""
    strength = _best(_NESTED_GRID, [_scores((train, dev), _NESTED_GRID)])
    (predicted,) = _predictions(train, test.features, [strength])
    return predicted


def accuracy(predicted: Labels, labels: Labels) -> float:
    """Share of right predictions."""
    return float((predicted == labels).mean())


def _on_all_cores(work: Callable[[Fold], list[float]], folds: Iterable[Fold]) -> list[list[float]]:
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, folds))


def _best(grid: Sequence[float], scores: Sequence[Sequence[float]]) -> float:
    """The C with the best mean over folds in hundredths of a percent, as SentEval rounds; of equals the smallest."""
    means = np.round(100 * np.mean(scores, axis=0), 2)
    return grid[int(np.argmax(means))]


def _scores(fold: Fold, grid: Sequence[float]) -> list[float]:
    """Accuracy on the second part for each C."""
    train, test = fold
    return [accuracy(predicted, test.labels) for predicted in _predictions(train, test.features, grid)]


def _predictions(train: Vectors, features: NDArray[np.float64], grid: Sequence[float]) -> Iterator[Labels]:
    """Predicted labels for each C; the grid must rise, so that each fit starts near its end."""
    classes = range(int(train.labels.max()) + 1)
    targets = [train.labels == 1] if len(classes) == 2 else [train.labels == label for label in classes]
    models = [LogisticRegression(solver="newton-cholesky", warm_start=True) for _ in targets]
    for strength in grid:
        for model, target in zip(models, targets, strict=True):
            model.set_params(C=strength).fit(train.features, target)
        decisions = np.stack([model.decision_function(features) for model in models], axis=1)  # (n, 1 or classes)
        yield decisions.argmax(axis=1) if len(models) > 1 else (decisions[:, 0] > 0).astype(np.int64)
