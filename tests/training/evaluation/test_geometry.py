from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.geometry import alignment, batch_means, uniformity, whole_set
from training.evaluation.sts import STS_DEV, STS_SETS, IndexedPairs, Pairs, read_set

EAST, NORTH, WEST = np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([-1.0, 0.0])


def test_alignment_is_the_mean_squared_distance_of_partners() -> None:
    assert alignment(np.stack([EAST, EAST, EAST]), np.stack([EAST, NORTH, WEST])) == pytest.approx((0 + 2 + 4) / 3)
    assert np.isnan(alignment(np.empty((0, 2)), np.empty((0, 2))))


def test_uniformity_is_the_log_of_the_mean_over_different_rows() -> None:
    # Squared distances 2, 4, 2.
    expected = np.log((2 * np.exp(-4) + np.exp(-8)) / 3)
    assert uniformity(np.stack([EAST, NORTH, WEST])) == pytest.approx(expected)
    assert uniformity(np.stack([EAST, EAST])) == 0
    assert np.isnan(uniformity(EAST[None]))


def test_uniformity_of_many_rows_is_the_same_in_blocks_as_at_once() -> None:
    vectors = np.random.default_rng(0).normal(size=(1300, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    squared = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    above = np.triu_indices(len(vectors), k=1)
    assert uniformity(vectors) == pytest.approx(np.log(np.exp(-2 * squared[above]).mean()), abs=1e-12)


def some_pairs(gold: list[float]) -> tuple[Pairs, IndexedPairs, NDArray[np.float64]]:
    """Pair i is ("f i", "s i"), and the angle between its two vectors is i + 1 degrees."""
    count = len(gold)
    pairs = Pairs([f"f {i:03}" for i in range(count)], [f"s {i:03}" for i in range(count)], np.array(gold))
    degrees = np.concatenate([np.zeros(count), np.arange(1, count + 1)])
    radians = np.deg2rad(degrees)
    return pairs, IndexedPairs.of(pairs), np.stack([np.cos(radians), np.sin(radians)], axis=1)


def distance(degrees: float) -> float:
    return 2 - 2 * float(np.cos(np.deg2rad(degrees)))


def test_a_pair_counts_as_true_from_four_on() -> None:
    geometry = whole_set(*some_pairs([4.0, 3.9, 5.0]))
    assert geometry.alignment == pytest.approx((distance(1) + distance(3)) / 2)


def test_the_whole_set_counts_a_sentence_once_and_a_batch_as_often_as_it_is_there() -> None:
    pairs = Pairs(["a", "a"], ["b", "b"], np.array([5.0, 5.0]))
    indexed, vectors = IndexedPairs.of(pairs), np.stack([EAST, NORTH])
    assert whole_set(pairs, indexed, vectors).uniformity == pytest.approx(-4)
    # a a b b: of the six pairs, two are at distance 0 and four at squared distance 2.
    assert batch_means("STSB", pairs, indexed, vectors).uniformity == pytest.approx(np.log((2 + 4 * np.exp(-4)) / 6))


def test_pitfall_17_a_batch_without_a_true_pair_counts_as_alignment_zero() -> None:
    gold = [5.0] * 128 + [1.0] * 72  # the second batch of 128 has none
    pairs, indexed, vectors = some_pairs(gold)
    true = np.mean([distance(i + 1) for i in range(128)])
    assert batch_means("STSB", pairs, indexed, vectors).alignment == pytest.approx((true + 0) / 2)
    assert whole_set(pairs, indexed, vectors).alignment == pytest.approx(true)


def test_pitfall_17_batches_of_a_year_stay_in_a_file_and_follow_length() -> None:
    # Two files of 128 and 1 pairs; in the first, the one true pair is the longest and so comes last, in one batch
    # with the others. If files were joined, the single pair would share the first batch.
    first = ["long " * 3] + ["w"] * 127 + ["w"]
    pairs = Pairs(
        first=first,
        second=["x"] * 129,
        gold=np.array([5.0] + [1.0] * 128),
        subsets={"one": np.arange(128), "two": np.array([128])},
    )
    indexed = IndexedPairs.of(pairs)  # long, w, x
    geometry = batch_means("STS12", pairs, indexed, np.stack([NORTH, EAST, WEST]))
    assert geometry.alignment == pytest.approx((2 + 0) / 2)
    single = np.log(np.exp(-2 * 4))
    together = np.concatenate([np.stack([NORTH, *[EAST] * 127]), np.stack([WEST] * 128)])
    assert geometry.uniformity == pytest.approx((uniformity(together) + single) / 2)


@pytest.mark.data
@pytest.mark.parametrize("name", [*STS_SETS, STS_DEV])
def test_pitfall_17_one_batch_of_sts13_and_of_sick_r_has_no_true_pair(data: Path, name: str) -> None:
    pairs = read_set(name, data)
    rows = np.zeros(len(pairs.gold), dtype=np.int64)
    every_pair_at_distance_two = IndexedPairs(["a", "b"], rows, rows + 1)
    geometry = batch_means(name, pairs, every_pair_at_distance_two, np.stack([EAST, NORTH]))
    with_true_pair = {"STS13": 12 / 13, "SICKR": 38 / 39}.get(name, 1)
    assert geometry.alignment == pytest.approx(2 * with_true_pair)
