from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from training.config import AblationConfig, DataConfig
from training.data.features import read_features, write_features
from training.data.pairs import ImageCaptions, open_pairs
from training.errors import DataError

DATA = DataConfig(captions="captions.txt", features="features.npz")
SPLIT = DataConfig(captions="captions.txt", features="features.npz", split="split.txt")


def opened(
    root: Path,
    data: DataConfig = DATA,
    *,
    seed: int = 0,
    with_images: bool = True,
    banned: frozenset[str] = frozenset(),
    **ablation: Any,
) -> ImageCaptions:
    return open_pairs(data, AblationConfig(**ablation), root, seed=seed, with_images=with_images, banned=banned)


def values(pairs: ImageCaptions) -> NDArray[Any]:
    assert pairs.features is not None
    return pairs.features


def by_id(root: Path) -> dict[str, NDArray[Any]]:
    with np.load(root / "features.npz") as file:
        return dict(zip(file["image_ids"], file["features"], strict=True))


def without_ids(root: Path, rows: int = 50) -> None:
    """The original's format: one HDF5 data set, in the order of the captions."""
    with np.load(root / "features.npz") as file, h5py.File(root / "features.hdf5", "w") as target:
        target.create_dataset("features", data=np.resize(file["features"], (rows, 12)))


def test_each_image_has_its_captions_and_its_features_in_the_order_of_the_file(world: Path) -> None:
    pairs, stored = opened(world), by_id(world)
    assert pairs.names == list(stored)
    for name, (caption,), row in zip(pairs.names, pairs.captions, values(pairs), strict=True):
        _, colour, thing = caption.split()
        assert name == f"{thing}-{colour}.jpg"
        np.testing.assert_array_equal(row, stored[name])


def test_features_in_another_order_are_joined_by_id_and_keep_their_dtype(world: Path) -> None:
    stored = read_features(world / "features.npz")
    assert stored.ids is not None
    write_features(world / "features.npz", stored.ids[::-1], stored.values[::-1].astype(np.float16))
    pairs = opened(world)
    assert values(pairs).dtype == np.float16
    np.testing.assert_array_equal(values(pairs), stored.values.astype(np.float16))


def test_a_split_chooses_images_and_their_order(world: Path) -> None:
    (world / "split.txt").write_text("dog-red.jpg\ncat-blue.jpg\n")
    pairs = opened(world, SPLIT)
    assert (pairs.names, pairs.captions) == (["dog-red.jpg", "cat-blue.jpg"], [["a red dog"], ["a blue cat"]])
    np.testing.assert_array_equal(values(pairs), [by_id(world)[name] for name in pairs.names])


def test_absolute_paths_stay_as_they_are(world: Path, tmp_path: Path) -> None:
    data = DataConfig(captions=str(world / "captions.txt"), features=str(world / "features.npz"))
    assert opened(tmp_path / "elsewhere", data).names == opened(world).names


def test_without_ids_rows_belong_to_the_captions_in_their_order(world: Path) -> None:
    without_ids(world)
    (world / "split.txt").write_text("cat-blue.jpg\ndog-big.jpg\n")
    for split in (None, "split.txt"):
        data = DataConfig(captions="captions.txt", features="features.hdf5", split=split)
        pairs = opened(world, data)
        np.testing.assert_array_equal(values(pairs), [by_id(world)[name] for name in pairs.names])


@pytest.mark.parametrize("rows", [49, 51])
def test_counts_that_differ_without_ids_are_refused_with_both(world: Path, rows: int) -> None:
    """P34: the original pairs what there is and drops the rest without a word."""
    without_ids(world, rows)
    (world / "split.txt").write_text("cat-blue.jpg\n")
    for split in (None, "split.txt"):
        data = DataConfig(captions="captions.txt", features="features.hdf5", split=split)
        with pytest.raises(DataError, match=rf"features\.hdf5: {rows} rows without image ids, but 50 images in"):
            opened(world, data)


def test_the_originals_plain_captions_go_with_its_features(world: Path) -> None:
    without_ids(world)
    lines = (world / "captions.txt").read_text().splitlines()
    (world / "flickr_random_captions.txt").write_text("".join(line.split("\t")[1] + "\n" for line in lines))
    pairs = opened(world, DataConfig(captions="flickr_random_captions.txt", features="features.hdf5"))
    assert (pairs.names, pairs.captions) == ([str(row) for row in range(50)], opened(world).captions)
    np.testing.assert_array_equal(values(pairs), values(opened(world)))


def test_without_images_the_features_are_not_opened_and_the_captions_are_the_same(world: Path) -> None:
    expected = opened(world, pairs=20, seed=3)
    (world / "features.npz").unlink()
    found = opened(world, pairs=20, seed=3, with_images=False)
    assert found.features is None
    assert (found.names, found.captions) == (expected.names, expected.captions)


def test_fewer_pairs_are_drawn_by_the_seed_and_are_among_more_pitfall_5(world: Path) -> None:
    """Pitfall 5: the original's mixed training takes `--shot` and uses all pairs."""
    chosen = {count: opened(world, pairs=count, seed=1) for count in (5, 20, 50)}
    assert [len(pairs.names) for pairs in chosen.values()] == [5, 20, 50]
    assert set(chosen[5].names) < set(chosen[20].names) < set(chosen[50].names)
    assert chosen[5].names == opened(world, pairs=5, seed=1).names != opened(world, pairs=5, seed=2).names
    assert chosen[50].names == opened(world).names
    stored = by_id(world)
    np.testing.assert_array_equal(values(chosen[5]), [stored[name] for name in chosen[5].names])


def test_more_pairs_than_there_are_is_refused_with_both_numbers(world: Path) -> None:
    with pytest.raises(DataError, match=r"captions\.txt: ablation\.pairs is 51, but only 50 images can be used"):
        opened(world, pairs=51)


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_images_are_the_same_ones_and_none_keeps_its_own_pitfall_5(world: Path, seed: int) -> None:
    """Pitfall 5: the original's mixed training takes `--shuffle_imgs` and uses true pairs."""
    true, shuffled = opened(world, seed=seed), opened(world, seed=seed, images="shuffled")
    assert (shuffled.names, shuffled.captions) == (true.names, true.captions)
    assert sorted(map(tuple, values(shuffled))) == sorted(map(tuple, values(true)))
    assert (values(shuffled) != values(true)).any(axis=1).all()


def test_shuffling_is_drawn_by_the_seed_among_the_images_that_are_used(world: Path) -> None:
    once, again, other = (values(opened(world, seed=seed, images="shuffled")) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()
    few = opened(world, seed=1, images="shuffled", pairs=2)
    np.testing.assert_array_equal(values(few), [by_id(world)[name] for name in few.names[::-1]])


def test_one_image_cannot_be_shuffled(world: Path) -> None:
    with pytest.raises(DataError, match=r"'shuffled', but there is one image only"):
        opened(world, images="shuffled", pairs=1)


def test_random_images_have_the_mean_and_spread_of_the_true_ones_pitfall_5(world: Path) -> None:
    """Pitfall 5: the original's mixed training takes `--random_imgs` and uses true pairs."""
    count = 9_000  # more than are worked on at a time
    ids, scale = [f"{number}.jpg" for number in range(count)], np.arange(1, 5)
    true = (np.random.default_rng(0).normal(size=(count, 4)) * scale + scale * 10).astype(np.float16)
    write_features(world / "features.npz", ids, true)
    (world / "captions.txt").write_text("".join(f"{name}#0\ta dog\n" for name in ids))
    pairs = opened(world, images="random")
    noise = values(pairs)
    assert noise.dtype == np.float32
    assert noise.shape == true.shape
    np.testing.assert_allclose(noise.mean(axis=0), true.mean(axis=0, dtype=np.float64), atol=0.2)
    np.testing.assert_allclose(noise.std(axis=0), true.std(axis=0, dtype=np.float64), rtol=0.05)
    assert abs(np.corrcoef(noise[:, 0], true[:, 0])[0, 1]) < 0.05
    assert (pairs.names, pairs.captions) == (opened(world).names, opened(world).captions)
    np.testing.assert_array_equal(noise, values(opened(world, images="random")))
    assert (noise != values(opened(world, images="random", seed=1))).any()


def test_captions_that_are_banned_are_left_out_and_counted_with_their_images(world: Path) -> None:
    with (world / "captions.txt").open("a") as file:
        file.write("dog-red.jpg#1\tIts fur is RED .\ncat-red.jpg#1\tOne more.\n")
    banned = frozenset({"a red dog", "a red cat", "its fur is red"})
    pairs, all_of_them = opened(world, banned=banned), opened(world)
    assert (pairs.left_out, all_of_them.left_out) == (3, 0)
    assert pairs.names == [name for name in all_of_them.names if name != "dog-red.jpg"]
    assert pairs.captions[pairs.names.index("cat-red.jpg")] == ["One more."]
    np.testing.assert_array_equal(values(pairs), [by_id(world)[name] for name in pairs.names])


def test_banned_captions_shift_no_row_of_features_without_ids(world: Path) -> None:
    without_ids(world)
    pairs = opened(
        world, DataConfig(captions="captions.txt", features="features.hdf5"), banned=frozenset({"a red dog"})
    )
    assert len(pairs.names) == 49
    np.testing.assert_array_equal(values(pairs), [by_id(world)[name] for name in pairs.names])


def test_a_set_of_which_nothing_is_left_is_refused(world: Path) -> None:
    (world / "split.txt").write_text("dog-red.jpg\n")
    with pytest.raises(DataError, match=r"captions\.txt: every caption stands in an evaluation set"):
        opened(world, SPLIT, banned=frozenset({"a red dog"}))


def test_captions_that_repeat_word_by_word_are_left_as_they_are(world: Path) -> None:
    with (world / "captions.txt").open("a") as file:
        file.write("dog-red.jpg#1\ta red dog\n")
    assert opened(world).captions[opened(world).names.index("dog-red.jpg")] == ["a red dog", "a red dog"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dog-red.jpg\ta dog", "line 51: expected image.jpg#number, a tab and a caption"),
        ("dog-red.jpg#1\t ", "line 51: the caption is empty"),
        ("nobody.jpg#0\ta dog", r"features\.npz: no features for the image nobody\.jpg, which has captions"),
    ],
)
def test_bad_captions_are_named(world: Path, line: str, message: str) -> None:
    with (world / "captions.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=message):
        opened(world)


def test_a_split_that_lists_an_unknown_image_or_one_twice_is_named(world: Path) -> None:
    (world / "split.txt").write_text("dog-red.jpg\nghost.jpg\n")
    with pytest.raises(DataError, match=r"split\.txt, line 2: .*captions\.txt has no caption for the image ghost\.jpg"):
        opened(world, SPLIT)
    (world / "split.txt").write_text("dog-red.jpg\ndog-red.jpg\n")
    with pytest.raises(DataError, match="listed twice"):
        opened(world, SPLIT)


def test_settings_that_are_missing_are_named(world: Path) -> None:
    with pytest.raises(DataError, match=r"data\.captions is not set"):
        opened(world, DataConfig(features="features.npz"))
    with pytest.raises(DataError, match=r"data\.features is not set"):
        opened(world, DataConfig(captions="captions.txt"))


@pytest.mark.data
def test_the_real_training_set_opens_with_every_image_and_no_test_image(data: Path) -> None:
    folder = data / "flickr8k"
    config = DataConfig(
        captions=str(folder / "Flickr8k.token.txt"),
        features=str(folder / "flickr8k_mobilenetv2_avgpool_f16.npz"),
        split=str(folder / "Flickr_8k.trainImages.txt"),
    )
    pairs = opened(data, config)
    assert len(pairs.names) == len(pairs.captions) == len(values(pairs)) == 6_000
    assert not set(pairs.names) & set((folder / "Flickr_8k.testImages.txt").read_text().split())
    with pytest.raises(DataError, match=r"no features for the image 2258277193_586949ec62\.jpg\.1"):
        opened(data, DataConfig(captions=config.captions, features=config.features))
