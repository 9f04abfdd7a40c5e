import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.config import DataConfig
from training.data.corpus import open_pairs, open_text
from training.errors import DataError

PAIRS = DataConfig(captions="captions.txt", features="features.npz")


def features(path: Path, **changes: Any) -> None:
    with np.load(path) as file:
        np.savez(path, **{**file, **changes})


def test_text_is_read_plain_and_gzipped(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\ntwo"))
    assert open_text(tmp_path / "a.txt", 0).lines == open_text(tmp_path / "a.txt.gz", 0).lines == ["one", "two"]


def test_a_pass_sees_every_sentence_once_and_the_next_in_another_order(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(map(str, range(10))))
    text = open_text(tmp_path / "a.txt", seed=3)
    assert text.batches(4) == 3
    passes = [[line for i in range(3) for line in text.batch(p * 3 + i, 4)] for p in range(2)]
    assert sorted(passes[0]) == sorted(passes[1]) == sorted(text.lines)
    assert passes[0] != passes[1]
    assert [len(text.batch(i, 4)) for i in range(3)] == [4, 4, 2]


def test_the_seed_alone_decides_the_order(world: Path) -> None:
    def order(seed: int) -> list[str]:
        return open_pairs(PAIRS, world, seed).batch(0, 50).captions

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_captions_stay_with_the_features_of_their_image(world: Path) -> None:
    pairs = open_pairs(PAIRS, world, seed=0)
    with np.load(world / "features.npz") as file:
        by_id = dict(zip(file["image_ids"], file["features"], strict=True))
    for index in range(8):
        batch = pairs.batch(index, 16)
        assert batch.features is not None
        for caption, row in zip(batch.captions, batch.features, strict=True):
            _, colour, thing = caption.split()
            np.testing.assert_array_equal(row, by_id[f"{thing}-{colour}.jpg"])


def test_a_batch_never_repeats_an_image_and_all_captions_come_round(world: Path) -> None:
    lines = [f"dog-red.jpg#{i}\tcaption {i}\ncat-blue.jpg#{i}\tother {i}\n" for i in range(5)]
    (world / "captions.txt").write_text("".join(lines))
    seen = set()
    rotating = open_pairs(
        DataConfig(captions="captions.txt", features="features.npz", captions_per_image="all"), world, 0
    )
    for index in range(5):
        captions = rotating.batch(index, 2).captions
        assert {caption.split()[0] for caption in captions} == {"caption", "other"}
        seen.update(captions)
    assert len(seen) == 10
    chosen_once = open_pairs(PAIRS, world, 0)
    assert len({caption for index in range(5) for caption in chosen_once.batch(index, 2).captions}) == 2


def test_a_split_chooses_images(world: Path) -> None:
    (world / "split.txt").write_text("dog-red.jpg\ncat-blue.jpg\n")
    chosen = DataConfig(captions="captions.txt", features="features.npz", split="split.txt")
    assert sorted(open_pairs(chosen, world, 0).batch(0, 9).captions) == ["a blue cat", "a red dog"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"one\n\ntwo\n", r"t\.txt, line 2: the line is empty"),
        (b"one\n  \n", r"t\.txt, line 2: the line is empty"),
        (b"one\ntwo\n\xff\xfe\n", r"t\.txt, line 3: not UTF-8"),
        (b"", r"t\.txt: no sentences"),
    ],
)
def test_bad_text_is_named_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_text(tmp_path / "t.txt", 0)


def test_a_text_file_that_is_missing_or_cut_short_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_text(tmp_path / "t.txt", 0)
    (tmp_path / "t.gz").write_bytes(gzip.compress(b"one\n" * 1000)[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        open_text(tmp_path / "t.gz", 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dog-red.jpg\ta dog", "line 51: expected image.jpg#number, a tab and a caption"),
        ("dog-red.jpg#1 a dog", "line 51: expected"),
        ("dog-red.jpg#1\t ", "line 51: the caption is empty"),
        ("nobody.jpg#0\ta dog", "no features for the image nobody.jpg"),
    ],
)
def test_bad_captions_are_named_with_their_line(world: Path, line: str, message: str) -> None:
    with (world / "captions.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=message):
        open_pairs(PAIRS, world, 0)


def test_features_that_are_not_finite_are_named_with_their_image(world: Path) -> None:
    with np.load(world / "features.npz") as file:
        broken = file["features"].copy()
    broken[3, 2] = np.nan
    features(world / "features.npz", features=broken)
    with pytest.raises(DataError, match=r"row 3: the features of dog-big\.jpg hold NaN"):
        open_pairs(PAIRS, world, 0)


def test_counts_that_differ_are_named(world: Path) -> None:
    features(world / "features.npz", features=np.zeros((49, 12)))
    with pytest.raises(DataError, match=r"50 image ids do not match features of shape \(49, 12\)"):
        open_pairs(PAIRS, world, 0)


def test_a_split_that_lists_an_unknown_image_or_one_twice_is_named(world: Path) -> None:
    chosen = DataConfig(captions="captions.txt", features="features.npz", split="split.txt")
    (world / "split.txt").write_text("ghost.jpg\n")
    with pytest.raises(DataError, match=r"no caption for the image ghost\.jpg"):
        open_pairs(chosen, world, 0)
    (world / "split.txt").write_text("dog-red.jpg\ndog-red.jpg\n")
    with pytest.raises(DataError, match="listed twice"):
        open_pairs(chosen, world, 0)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04"], ids=["empty", "text", "cut"])
def test_a_feature_file_that_is_no_npz_is_named(world: Path, content: bytes) -> None:
    (world / "features.npz").write_bytes(content)
    with pytest.raises(DataError, match="expected an npz"):
        open_pairs(PAIRS, world, 0)


def test_a_plain_array_and_an_id_listed_twice_are_named(world: Path) -> None:
    features(world / "features.npz", image_ids=np.array(["same.jpg"] * 50))
    with pytest.raises(DataError, match="listed twice"):
        open_pairs(PAIRS, world, 0)
    with (world / "features.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match="expected an npz"):
        open_pairs(PAIRS, world, 0)


def test_a_pickle_among_the_features_is_never_run(world: Path) -> None:
    np.savez(world / "features.npz", image_ids=np.array(["a"], dtype=object), features=np.zeros((1, 2)))
    with pytest.raises(DataError, match="expected an npz"):
        open_pairs(PAIRS, world, 0)
