import math

import numpy as np
import pytest
from scipy.stats import spearmanr, ttest_rel

from training.reports.intervals import Judged, bootstrap, paired_t


def test_the_t_interval_is_the_one_of_a_hand_computation() -> None:
    # mean 2, deviation 1, three values; the 97.5 % point of t with 2 degrees is 4.302653 in any table
    interval = paired_t([1.0, 2.0, 3.0])
    assert interval.difference == 2.0
    assert interval.high - interval.difference == pytest.approx(4.302653 / math.sqrt(3), abs=1e-6)
    assert interval.low + interval.high == pytest.approx(4.0)
    assert interval.count == 3


def test_the_t_interval_agrees_with_the_paired_test() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(70, 1, 5), random.normal(71, 1, 5)
    expected = ttest_rel(second, first).confidence_interval(0.95)
    interval = paired_t(list(second - first))
    assert interval.low == pytest.approx(expected.low)
    assert interval.high == pytest.approx(expected.high)


def test_one_difference_has_no_interval_and_equal_ones_have_no_width() -> None:
    assert math.isnan(paired_t([0.5]).low)
    same = paired_t([0.5, 0.5, 0.5])
    assert (same.low, same.high) == (0.5, 0.5)


def judged(noise: float, count: int = 400, seed: int = 0) -> Judged:
    random = np.random.default_rng(seed)
    gold = np.round(random.uniform(0, 5, count) * 2) / 2
    return Judged(gold + random.normal(0, 1, count), gold + random.normal(0, noise, count), gold)


def test_the_difference_is_that_of_scipys_spearman() -> None:
    pairs = judged(noise=2.0)
    first, second = (100 * spearmanr(cosines, pairs.gold).statistic for cosines in (pairs.first, pairs.second))
    assert bootstrap({"a": pairs}, resamples=100)["a"].difference == pytest.approx(second - first)


def test_each_resample_is_what_scipy_finds_for_the_same_draw() -> None:
    pairs = judged(noise=2.0, count=50)
    draws = np.random.default_rng(3).integers(0, 50, (200, 50))
    found = [
        100
        * (
            spearmanr(pairs.second[rows], pairs.gold[rows]).statistic
            - spearmanr(pairs.first[rows], pairs.gold[rows]).statistic
        )
        for rows in draws
    ]
    interval = bootstrap({"a": pairs}, resamples=200, seed=3)["a"]
    assert interval.low == pytest.approx(np.percentile(found, 2.5))
    assert interval.high == pytest.approx(np.percentile(found, 97.5))


def test_models_that_say_the_same_do_not_differ_in_any_resample() -> None:
    pairs = judged(noise=2.0)
    interval = bootstrap({"a": Judged(pairs.first, 3 * pairs.first + 1, pairs.gold)}, resamples=100)["a"]
    assert (interval.difference, interval.low, interval.high) == pytest.approx((0, 0, 0), abs=1e-9)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Both models have the same error, so the true difference is 0; 95 of 100 intervals should cover it."""
    covered = 0
    for seed in range(100):
        interval = bootstrap({"a": judged(noise=1.0, count=100, seed=seed)}, resamples=300)["a"]
        covered += interval.low <= 0 <= interval.high
    assert 88 <= covered <= 100


def test_the_average_is_the_plain_mean_of_the_sets_and_surer_than_one_of_them() -> None:
    sets = {name: judged(noise=2.0, seed=seed) for seed, name in enumerate("abcdefg")}
    found = bootstrap(sets, resamples=300)
    assert found["average"].difference == pytest.approx(np.mean([found[name].difference for name in sets]))
    assert found["average"].high - found["average"].low < found["a"].high - found["a"].low
    assert found["average"].count == 7 * 400


def test_the_same_seed_draws_the_same() -> None:
    sets = {"a": judged(noise=2.0)}
    assert bootstrap(sets, resamples=100) == bootstrap(sets, resamples=100)
    assert bootstrap(sets, resamples=100) != bootstrap(sets, resamples=100, seed=1)
