from pathlib import Path

import numpy as np
import pytest

from training.config import EvaluationConfig
from training.errors import DataError
from training.evaluation.own import read_own, read_pairs


def test_scored_pairs_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "dev.tsv").write_text('4.5\ta dog\tthe dog\n0\t"a cat"\tsnow\n')
    pairs = read_pairs(tmp_path / "dev.tsv")
    assert pairs.first == ["a dog", '"a cat"']
    assert pairs.second == ["the dog", "snow"]
    assert pairs.gold.tolist() == [4.5, 0.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("4\ta dog\n", "line 1: expected a score, a tab"),
        ("4\ta dog\tb\n1\t\tb\n", "line 2: expected a score, a tab"),
        ("good\ta dog\tb\n", "line 1: the score is not a number"),
        ("nan\ta dog\tb\n", "line 1: the score is not a number"),
        ("1\ta\tb\n1\tc\td\n", "2 pairs with 1 different scores"),
        ("", "0 pairs with 0 different scores"),
    ],
)
def test_what_cannot_be_ranked_is_refused_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "dev.tsv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_pairs(tmp_path / "dev.tsv")


def test_own_captions_and_features_become_the_images_to_be_found(tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("a.jpg#0\ta dog\na.jpg#1\tthe dog\nb.jpg#0\tsnow\nc.jpg#0\tgrass\n")
    np.savez(tmp_path / "f.npz", image_ids=np.array(["c.jpg", "b.jpg", "a.jpg"]), features=np.eye(3, dtype="f2"))
    (tmp_path / "test.txt").write_text("a.jpg\nb.jpg\n")
    own = read_own(EvaluationConfig(captions="captions.txt", features="f.npz", split="test.txt"), tmp_path)
    assert own.dev is None
    assert own.retrieval is not None
    assert own.retrieval.captions == ["a dog", "the dog", "snow"]
    assert own.retrieval.image_of.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(own.retrieval.features, np.eye(3, dtype="f4")[[2, 1]])


def test_a_run_without_own_data_has_none(tmp_path: Path) -> None:
    own = read_own(EvaluationConfig(), tmp_path)
    assert (own.dev, own.retrieval) == (None, None)
