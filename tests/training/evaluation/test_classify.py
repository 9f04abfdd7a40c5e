import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.model_selection import StratifiedKFold  # type: ignore[import-untyped]

from training.evaluation.classify import Vectors, accuracy, cross_validated, held_out, nested

NESTED_GRID = [0.25, 0.5, 1, 2, 4, 8]


def clouds(count: int, classes: int, distance: float, seed: int = 0) -> Vectors:
    """Points around one centre for each class, in five dimensions."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = np.eye(classes, 5) * distance
    return Vectors(centres[labels] + random.normal(size=(count, 5)), labels)


def plain_nested(examples: Vectors) -> float:
    """The protocol in its shortest form, with scikit-learn's own search and another solver."""
    features, labels = examples.features, examples.labels
    split = StratifiedKFold(10, shuffle=True, random_state=1111)
    results = []
    for train, test in split.split(features, labels):
        means = []
        for strength in NESTED_GRID:
            model = LogisticRegression(C=strength, tol=1e-10, max_iter=10_000)
            scores = [
                model.fit(features[train][a], labels[train][a]).score(features[train][b], labels[train][b])
                for a, b in split.split(features[train], labels[train])
            ]
            means.append(round(100 * np.mean(scores), 2))
        best = LogisticRegression(C=NESTED_GRID[int(np.argmax(means))], tol=1e-10, max_iter=10_000)
        results.append(best.fit(features[train], labels[train]).score(features[test], labels[test]))
    return float(np.mean(results)) * 100


def test_nested_folds_give_what_the_protocol_gives() -> None:
    examples = clouds(120, classes=2, distance=1.5)
    score = nested(examples)
    assert 60 < score < 95
    assert score == pytest.approx(plain_nested(examples))


def test_what_can_be_told_apart_is() -> None:
    assert nested(clouds(60, classes=2, distance=30)) == 100
    train, test = clouds(120, classes=3, distance=30), clouds(30, classes=3, distance=30, seed=1)
    assert accuracy(cross_validated(train, test), test.labels) == 1
    assert accuracy(held_out(train, test, test), test.labels) == 1


def test_labels_that_have_nothing_to_do_with_the_vectors_are_not_learned() -> None:
    noise = np.random.default_rng(2).normal(size=(200, 5))
    assert nested(Vectors(noise, np.arange(200) % 2)) == pytest.approx(50, abs=12)


def test_more_than_two_classes_are_told_one_against_the_rest() -> None:
    train, test = clouds(150, classes=3, distance=2), clouds(60, classes=3, distance=2, seed=1)
    predicted = held_out(train, train, test)
    scores = []
    for strength in NESTED_GRID:
        models = [
            LogisticRegression(C=strength, tol=1e-10, max_iter=10_000).fit(train.features, train.labels == label)
            for label in range(3)
        ]
        scores.append(
            [np.stack([model.decision_function(x) for model in models]) for x in (train.features, test.features)]
        )
    fits = [round(100 * (on_train.argmax(axis=0) == train.labels).mean(), 2) for on_train, _ in scores]
    assert predicted.tolist() == scores[int(np.argmax(fits))][1].argmax(axis=0).tolist()


def test_the_strength_is_chosen_by_the_development_part() -> None:
    # One feature is small and always right, the other large and right in four of five. The stronger the penalty, the
    # more the large one counts: where the two disagree as below, C = 0.25 follows the large one and C = 1 the small.
    random = np.random.default_rng(3)
    labels = np.arange(400) % 2
    signs = 2.0 * labels - 1
    train = Vectors(np.stack([0.05 * signs, np.where(random.random(400) < 0.8, signs, -signs)], axis=1), labels)
    disagreeing = np.array([[0.3, -1.0], [-0.3, 1.0]])
    for right in ([0, 1], [1, 0]):
        dev = Vectors(disagreeing, np.array(right))
        assert held_out(train, dev, dev).tolist() == right
    agreeing = Vectors(
        np.array([[0.3, 1.0], [-0.3, -1.0]]), np.array([1, 0])
    )  # where every C is right, the smallest wins
    assert held_out(train, agreeing, Vectors(disagreeing, np.array([0, 1]))).tolist() == [0, 1]


def test_the_same_examples_give_the_same_score() -> None:
    examples = clouds(80, classes=2, distance=1)
    assert nested(examples) == nested(examples)
