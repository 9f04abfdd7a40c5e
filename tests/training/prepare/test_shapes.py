"""The drawn world: it is complete, the same for the same seed, and a model learns to see in it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.files import files_below, sha256_of
from training.config import load_config
from training.data.captions import read_captions, read_ids
from training.data.features import read_features
from training.errors import DataError
from training.evaluation.own import read_pairs
from training.prepare.shapes import TRAIN, pixels, prepare_shapes
from training.progress import Display
from training.train import train

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("world") / "shapes"
    prepare_shapes(target, seed=0)
    return target


def test_every_picture_has_a_caption_of_its_own_and_features(shapes: Path) -> None:
    captions = read_captions(shapes / "captions.token.txt")
    features = read_features(shapes / "features.npz")
    pictures = {path.name for path in (shapes / "images").iterdir()}
    assert len(captions) == 240
    assert set(captions) == set(features.ids or []) == pictures
    assert len({text for (text,) in captions.values()}) == 240


def test_pictures_to_train_on_and_to_find_are_apart(shapes: Path) -> None:
    train_ids, test_ids = read_ids(shapes / "train.txt"), read_ids(shapes / "test.txt")
    assert (len(train_ids), len(test_ids)) == (TRAIN, 40)
    assert not set(train_ids) & set(test_ids)


def test_a_picture_shows_what_its_caption_says(shapes: Path) -> None:
    red_left = next(p for p in (shapes / "images").iterdir() if p.name == "large-red-square-left.png")
    with Image.open(red_left) as picture:
        seen = np.asarray(picture)
    assert seen[32, 10].tolist() == [214, 39, 40]
    assert seen[32, 60].tolist() == [24, 24, 28]


def test_features_are_mean_colours(shapes: Path) -> None:
    features = read_features(shapes / "features.npz")
    name = (features.ids or [])[0]
    with Image.open(shapes / "images" / name) as picture:
        np.testing.assert_array_equal(features.values[0], pixels(picture))


def test_scores_of_pairs_grow_with_what_they_share(shapes: Path) -> None:
    pairs = read_pairs(shapes / "dev.tsv")
    for first, second, gold in zip(pairs.first, pairs.second, pairs.gold, strict=True):
        size, colour, shape, *place = first.split()[1:]
        other_size, other_colour, other_shape, *other_place = second.split()[1:]
        shared = (size == other_size) + (colour == other_colour) + (shape == other_shape) + (place == other_place)
        assert gold == 1 + shared


def test_the_same_seed_gives_the_same_bytes_and_another_another_world(shapes: Path, tmp_path: Path) -> None:
    def digests(folder: Path) -> list[str]:
        return [sha256_of(folder / name) for name in files_below(folder) if name.name != "prepared.json"]

    prepare_shapes(tmp_path / "again", seed=0)
    prepare_shapes(tmp_path / "other", seed=1)
    assert digests(tmp_path / "again") == digests(shapes)
    assert digests(tmp_path / "other") != digests(shapes)
    with pytest.raises(DataError, match="other options"):
        prepare_shapes(tmp_path / "again", seed=1)


@pytest.mark.slow
def test_the_tiny_configuration_learns_to_find_pictures_it_never_saw(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)  # its base is the shipped checkpoint
    config = load_config(ROOT / "configs" / "tiny_cpu.toml")
    result = train(config, output=tmp_path / "run", data=shapes, resume=False, display=Display(quiet=True))
    assert result is not None
    assert result.scores.retrieval["recall@1"] >= 90  # chance is 2.5
    assert result.scores.sts == {}
    assert "`captions.token.txt`" in (result.bundle / "README.md").read_text()
