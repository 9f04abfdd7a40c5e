from pathlib import Path

import numpy as np
import pytest

from training.evaluation.retrieval import read_flickr8k_test, recall_at


def test_recall_counts_sentences_whose_image_is_near_enough() -> None:
    images = np.eye(12, dtype=np.float32)
    image_of = np.arange(12)
    assert recall_at(images, images, image_of) == {"recall@1": 100, "recall@5": 100, "recall@10": 100}
    # Sentence 0 prefers image 1 to its own; the others are right.
    sentences = images.copy()
    sentences[0, 1] = 2.0
    assert recall_at(sentences, images, image_of)["recall@1"] == pytest.approx(100 * 11 / 12)
    assert recall_at(sentences, images, image_of)["recall@5"] == 100


def test_ties_count_against_the_model() -> None:
    same = np.ones((12, 3), dtype=np.float32)
    assert recall_at(same, same, np.arange(12)) == {"recall@1": 0, "recall@5": 0, "recall@10": 0}


@pytest.mark.data
def test_the_real_test_set_has_five_captions_for_each_of_a_thousand_images(data: Path) -> None:
    test = read_flickr8k_test(data)
    assert len(test.captions) == len(test.image_of) == 5000
    assert test.features.shape == (1000, 1280)
    assert (np.bincount(test.image_of) == 5).all()
