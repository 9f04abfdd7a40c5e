import numpy as np
import pytest

from training.evaluation.aggregate import CAPTION_SUBSETS, score_set
from training.evaluation.scores import Scores
from training.evaluation.sts import Pairs

# Subset `images` is ranked right (100), `belief` the wrong way round (-100); cosines of `belief` lie above the others.
COSINE = np.array([0.1, 0.2, 0.3, 0.9, 0.8])
PAIRS = Pairs(
    first=["a"] * 5,
    second=["b"] * 5,
    gold=np.array([0.0, 1.0, 2.0, 3.0, 4.0]),
    subsets={"images": np.array([0, 1, 2]), "belief": np.array([3, 4])},
)


def test_pitfall_20_all_is_not_the_mean_of_the_subsets() -> None:
    scores = score_set("STS15", PAIRS, COSINE)
    assert scores.subsets == pytest.approx({"images": 100, "belief": -100})
    assert scores.mean == pytest.approx(0)
    assert scores.wmean == pytest.approx((3 * 100 - 2 * 100) / 5)
    assert scores.all == pytest.approx(90)  # 1 - 6 x (1 + 1) / (5 x 24)


def test_captions_are_taken_out_of_a_set() -> None:
    assert score_set("STS15", PAIRS, COSINE).without_captions == pytest.approx(-100)
    assert score_set("STS13", PAIRS, COSINE).without_captions == pytest.approx(90)
    assert score_set("SICKR", PAIRS, COSINE).without_captions is None


def test_sts_b_and_sick_are_one_file_for_the_means_as_in_senteval() -> None:
    scores = score_set("STSB", PAIRS, COSINE)
    assert scores.mean == scores.wmean == scores.all
    assert scores.subsets == pytest.approx({"images": 100, "belief": -100})


def test_the_caption_free_average_leaves_sick_out() -> None:
    details = {name: score_set(name, PAIRS, COSINE) for name in ("STS13", "STS15", "SICKR")}
    scores = Scores(sts={name: found.all for name, found in details.items()}, details=details)
    assert scores.sts_average == pytest.approx(90)
    assert scores.caption_free == pytest.approx({"STS13": 90, "STS15": -100, "average": -5})


def test_every_year_with_photographs_or_clips_is_known() -> None:
    assert {(name, part) for name, parts in CAPTION_SUBSETS.items() for part in parts} == {
        ("STS12", "MSRvid"),
        ("STS14", "images"),
        ("STS15", "images"),
        ("STSB", "main-captions"),
    }
