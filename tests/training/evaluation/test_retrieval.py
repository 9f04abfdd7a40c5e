from pathlib import Path

import numpy as np
import pytest

from training.errors import DataError
from training.evaluation.retrieval import image_to_text, read_flickr8k_test, text_to_image

PERFECT = {"recall@1": 100, "recall@5": 100, "recall@10": 100, "median_rank": 1}


def test_recall_counts_sentences_whose_image_is_near_enough() -> None:
    scores, image_of = np.eye(12, dtype=np.float32), np.arange(12)
    assert text_to_image(scores, image_of) == image_to_text(scores, image_of) == PERFECT
    # Sentence 0 prefers image 1 to its own; the others are right.
    scores[0, 1] = 2.0
    found = text_to_image(scores, image_of)
    assert found["recall@1"] == pytest.approx(100 * 11 / 12)
    assert found["recall@5"] == 100


def test_an_image_is_found_by_the_first_of_its_captions() -> None:
    image_of = np.array([0, 0, 1, 1])
    scores = np.array([[0.1, 0.0], [0.9, 0.2], [0.8, 0.1], [0.3, 0.7]], dtype=np.float32)
    # Image 0: captions in the order 1, 2, 3, 0; its own 1 comes first. Image 1: 3, 1, 2, 0; its own 3 comes first.
    assert image_to_text(scores, image_of) == PERFECT
    scores[1, 0] = 0.2
    # Image 0 now has 2, 3, 1, 0: its first own caption is third.
    assert image_to_text(scores, image_of) == {"recall@1": 50, "recall@5": 100, "recall@10": 100, "median_rank": 2}


def test_the_median_rank_is_that_of_the_middle_sentence() -> None:
    scores = np.zeros((3, 8), dtype=np.float32)
    scores[0, 0] = 1  # rank 1
    scores[1] = [9, 9, 9, 5, 0, 0, 0, 0]  # its own is the fourth
    scores[2] = [9, 9, 9, 9, 9, 9, 9, 1]  # and the eighth
    assert text_to_image(scores, np.array([0, 3, 7]))["median_rank"] == 4


def test_ties_count_against_the_model() -> None:
    same = np.ones((12, 12), dtype=np.float32)
    worst = {"recall@1": 0, "recall@5": 0, "recall@10": 0, "median_rank": 12}
    assert text_to_image(same, np.arange(12)) == image_to_text(same, np.arange(12)) == worst
    # Own captions that tie with each other do not stand in each other's way.
    two = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    assert image_to_text(two, np.array([0, 0, 1])) == PERFECT


def test_a_model_that_gives_no_numbers_finds_nothing() -> None:
    broken = np.full((12, 12), np.nan, dtype=np.float32)
    for found in (text_to_image(broken, np.arange(12)), image_to_text(broken, np.arange(12))):
        assert (found["recall@10"], found["median_rank"]) == (0, 12)


def test_a_test_image_without_captions_or_features_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "flickr8k"
    folder.mkdir()
    (folder / "Flickr8k.token.txt").write_text("1.jpg#0\ta dog\n2.jpg#0\ta cat\n")
    np.savez(folder / "flickr8k_mobilenetv2_avgpool_f16.npz", image_ids=["1.jpg"], features=np.ones((1, 3), np.float16))
    (folder / "Flickr_8k.testImages.txt").write_text("1.jpg\n")
    assert read_flickr8k_test(tmp_path).captions == ["a dog"]
    for name in ("2.jpg", "3.jpg"):
        (folder / "Flickr_8k.testImages.txt").write_text(f"1.jpg\n{name}\n")
        with pytest.raises(DataError, match=f"the test image {name} lacks captions or features"):
            read_flickr8k_test(tmp_path)


@pytest.mark.data
def test_the_real_test_set_has_five_captions_for_each_of_a_thousand_images(data: Path) -> None:
    test = read_flickr8k_test(data)
    assert len(test.captions) == len(test.image_of) == 5000
    assert test.features.shape == (1000, 1280)
    assert test.features.dtype == np.float32
    assert (np.bincount(test.image_of) == 5).all()
