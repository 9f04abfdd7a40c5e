import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.data.captions import read_captions
from training.errors import DataError
from training.prepare.captions import CAPTIONS, IMAGES, CaptionOptions, prepare_captions
from training.prepare.directory import RECORD

NUMBERS = [1000092795, 10002456, 1000268201, 1000344755]


def caption(number: int, index: int) -> str:
    return f"caption {index} of photograph {number} ."


def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "results_20130124.token"
    path.write_text("".join(f"{n}.jpg#{i}\t{caption(n, i)}\n" for n in NUMBERS for i in range(5)))
    return path


def entities(tmp_path: Path) -> Path:
    folder = tmp_path / "Sentences"
    folder.mkdir()
    for n in NUMBERS:
        lines = [f"caption {i} of [/EN#{i}/other photograph {n}] .\n" for i in range(5)]
        (folder / f"{n}.txt").write_text("".join(lines))
    return folder


def numbered(tmp_path: Path) -> Path:
    folder = tmp_path / "multi30k"
    folder.mkdir()
    for part, numbers in (("train", NUMBERS[:3]), ("val", NUMBERS[3:])):
        (folder / f"{part}_images.txt").write_text("".join(f"{n}.jpg\n" for n in numbers))
        for i in range(5):
            lines = "".join(f"{caption(n, i)}\n" for n in numbers)
            (folder / f"{part}.{i + 1}.en.gz").write_bytes(gzip.compress(lines.encode()))
    return folder


def coco(tmp_path: Path, count: int = 40, each: int = 7) -> Path:
    """As COCO's file has them: captions of an image are not next to each other, some end in a line end."""
    images = [{"id": i, "file_name": f"COCO_train2014_{i:012}.jpg"} for i in range(1, count + 1)]
    notes = [
        {"id": k * 1000 + i, "image_id": i, "caption": f"Caption {k} of image {i}. \n"}
        for k in range(each)
        for i in range(1, count + 1)
    ]
    path = tmp_path / "captions_train2014.json"
    path.write_text(json.dumps({"images": images, "annotations": notes}))
    return path


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


@pytest.mark.parametrize("form", [token_file, entities, numbered])
def test_every_form_of_flickr30k_gives_the_same_files(tmp_path: Path, form: Callable[[Path], Path]) -> None:
    done = prepare_captions("flickr30k", form(tmp_path), tmp_path / "out", CaptionOptions(captions="all"))
    assert done.counts == {"images": 4, "captions": 20, "dropped": {}}
    wanted = [f"{n}.jpg#{i}\t{caption(n, i)}" for n in NUMBERS for i in range(5)]
    assert sorted(lines(tmp_path / "out" / CAPTIONS)) == sorted(wanted)
    assert sorted(lines(tmp_path / "out" / IMAGES)) == sorted(f"{n}.jpg" for n in NUMBERS)


@pytest.mark.parametrize("form", [token_file, entities, numbered])
def test_the_drawn_caption_does_not_depend_on_the_form(tmp_path: Path, form: Callable[[Path], Path]) -> None:
    prepare_captions("flickr30k", token_file(tmp_path), tmp_path / "token", CaptionOptions(seed=3))
    prepare_captions("flickr30k", form(tmp_path), tmp_path / "out", CaptionOptions(seed=3))
    assert sorted(lines(tmp_path / "out" / CAPTIONS)) == sorted(lines(tmp_path / "token" / CAPTIONS))


def test_what_is_prepared_is_what_a_run_reads(tmp_path: Path) -> None:
    prepare_captions("flickr30k", token_file(tmp_path), tmp_path / "out", CaptionOptions())
    found = read_captions(tmp_path / "out" / CAPTIONS)
    assert list(found) == lines(tmp_path / "out" / IMAGES) == [f"{n}.jpg" for n in NUMBERS]
    assert all(len(captions) == 1 for captions in found.values())


def test_pitfall_1_coco_can_be_prepared_and_its_images_are_called_as_in_its_own_file(tmp_path: Path) -> None:
    """The original's script stops at an undefined name, and makes val2014 names for the train2014 images."""
    done = prepare_captions("coco", coco(tmp_path), tmp_path / "out", CaptionOptions())
    assert done.counts["images"] == done.counts["captions"] == 40
    assert lines(tmp_path / "out" / IMAGES)[0] == "COCO_train2014_000000000001.jpg"
    assert all("val2014" not in line for line in lines(tmp_path / "out" / CAPTIONS))


def test_pitfall_2_the_choice_of_captions_follows_from_the_seed(tmp_path: Path) -> None:
    """The original draws with an unseeded random.sample."""
    source = coco(tmp_path)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        prepare_captions("coco", source, tmp_path / name, CaptionOptions(seed=seed))
    same, other = ((tmp_path / name / CAPTIONS).read_bytes() for name in ("b", "c"))
    assert (tmp_path / "a" / CAPTIONS).read_bytes() == same
    assert other != same


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[3] / "configs").glob("*.toml")), ids=lambda p: p.stem)
def test_pitfall_2_the_files_are_called_as_the_configurations_read_them(path: Path) -> None:
    """The original writes `flickr.hdf5` and its scripts read `flickr_resnet.hdf5`."""
    text = path.read_text()
    if f"/{CAPTIONS}" in text:
        folder = "flickr30k" if "flickr" in path.stem else "coco"
        assert f'captions = "{folder}/{CAPTIONS}"' in text
        assert f'features = "{folder}/' in text


def test_coco_draws_from_the_first_five_and_from_each_of_them(tmp_path: Path) -> None:
    prepare_captions("coco", coco(tmp_path, count=400), tmp_path / "out", CaptionOptions())
    drawn = Counter(line.split("#")[1].split("\t")[0] for line in lines(tmp_path / "out" / CAPTIONS))
    assert set(drawn) == set("01234")
    assert min(drawn.values()) > 50  # 80 of each are expected
    prepare_captions("coco", tmp_path / "captions_train2014.json", tmp_path / "all", CaptionOptions(captions="all"))
    assert len(lines(tmp_path / "all" / CAPTIONS)) == 2800


def test_a_split_chooses_images_and_their_order_with_or_without_the_ending(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("1000268201\n1000092795\n")
    (tmp_path / "val.txt").write_text("10002456.jpg\n")
    options = CaptionOptions(splits=(tmp_path / "train.txt", tmp_path / "val.txt"))
    done = prepare_captions("flickr30k", token_file(tmp_path), tmp_path / "out", options)
    assert lines(tmp_path / "out" / IMAGES) == ["1000268201.jpg", "1000092795.jpg", "10002456.jpg"]
    assert done.counts["dropped"] == {"not listed": 1}


def test_a_caption_is_the_same_in_every_subset(tmp_path: Path) -> None:
    prepare_captions("flickr30k", token_file(tmp_path), tmp_path / "whole", CaptionOptions())
    (tmp_path / "one.txt").write_text("1000344755\n")
    prepare_captions(
        "flickr30k", tmp_path / "results_20130124.token", tmp_path / "part", CaptionOptions((tmp_path / "one.txt",))
    )
    assert set(lines(tmp_path / "part" / CAPTIONS)) < set(lines(tmp_path / "whole" / CAPTIONS))


def test_flickr8k_test_images_are_found_in_flickr30k_by_their_number(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("1000268201_693b08cb0e.jpg\n999_77bd2a5a8d.jpg\n")
    options = CaptionOptions(exclude=tmp_path / "test.txt")
    done = prepare_captions("flickr30k", token_file(tmp_path), tmp_path / "out", options)
    assert "1000268201.jpg" not in lines(tmp_path / "out" / IMAGES)
    assert done.counts == {"images": 3, "captions": 3, "dropped": {"excluded": 1}}


def test_a_list_that_was_kept_is_not_taken_for_one_that_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("1000268201\n")
    source = token_file(tmp_path)
    prepare_captions("flickr30k", source, tmp_path / "out", CaptionOptions(splits=(tmp_path / "list.txt",)))
    with pytest.raises(DataError, match="names other sources"):
        prepare_captions("flickr30k", source, tmp_path / "out", CaptionOptions(exclude=tmp_path / "list.txt"))


def test_coco_images_are_excluded_across_its_editions(tmp_path: Path) -> None:
    (tmp_path / "seen.txt").write_text("000000000007.jpg\n17\n")
    done = prepare_captions("coco", coco(tmp_path), tmp_path / "out", CaptionOptions(exclude=tmp_path / "seen.txt"))
    assert done.counts["dropped"] == {"excluded": 2}
    assert "COCO_train2014_000000000007.jpg" not in lines(tmp_path / "out" / IMAGES)
    assert "COCO_train2014_000000000017.jpg" not in lines(tmp_path / "out" / IMAGES)


def test_flickr8k_leaves_out_the_id_without_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "Flickr8k.token.txt"
    path.write_text("1_a.jpg#0\tA dog .\n2258277193_586949ec62.jpg.1#0\tPeople wait .\n2_b.jpg#0\tA cat .\n")
    done = prepare_captions("flickr8k", path, tmp_path / "out", CaptionOptions())
    assert lines(tmp_path / "out" / IMAGES) == ["1_a.jpg", "2_b.jpg"]
    assert done.counts["dropped"] == {"no picture of this name": 1}


def test_white_space_in_a_caption_stays_within_its_line(tmp_path: Path) -> None:
    prepare_captions("coco", coco(tmp_path, count=1, each=1), tmp_path / "out", CaptionOptions())
    assert (tmp_path / "out" / CAPTIONS).read_text() == "COCO_train2014_000000000001.jpg#0\tCaption 0 of image 1.\n"


def damage(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new, 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"splits": ["1000092795", "5"]}, r"split\.txt, line 2: .*no caption for the image 5\. Remove the line"),
        ({"splits": ["1000092795", "1000092795.jpg"]}, r"line 2: the image 1000092795\.jpg is listed twice"),
        ({"exclude": ["123"]}, r"exclude\.txt: no image in it is among the captions"),
        ({"exclude": [str(n) for n in NUMBERS]}, "every image is left out"),
    ],
)
def test_a_list_that_does_not_fit_is_named(tmp_path: Path, options: dict[str, list[str]], message: str) -> None:
    made: dict[str, Any] = {}
    for name, ids in options.items():
        path = tmp_path / ("split.txt" if name == "splits" else "exclude.txt")
        path.write_text("".join(f"{n}\n" for n in ids))
        made[name] = (path,) if name == "splits" else path
    with pytest.raises(DataError, match=message):
        prepare_captions("flickr30k", token_file(tmp_path), tmp_path / "out", CaptionOptions(**made))
    assert not (tmp_path / "out").exists()


def test_a_malformed_row_is_named_with_its_line(tmp_path: Path) -> None:
    source = token_file(tmp_path)
    damage(source, "10002456.jpg#0\t", "10002456.jpg ")
    with pytest.raises(DataError, match=r"results_20130124\.token, line 6"):
        prepare_captions("flickr30k", source, tmp_path / "out", CaptionOptions())
    assert sorted(path.name for path in tmp_path.iterdir()) == [source.name]


def test_the_record_names_sources_options_and_outputs(tmp_path: Path) -> None:
    source = token_file(tmp_path)
    prepare_captions("flickr30k", source, tmp_path / "out", CaptionOptions(seed=5))
    record = json.loads((tmp_path / "out" / RECORD).read_text())
    assert (record["kind"], record["options"]) == ("flickr30k", {"captions": "one", "seed": 5})
    assert record["sources"][0]["role"] == "captions"
    assert record["sources"][0]["bytes"] == source.stat().st_size
    assert len(record["sources"][0]["sha256"]) == 64
    assert set(record["sha256"]) == {CAPTIONS, IMAGES}


@pytest.mark.data
def test_the_real_captions_can_be_prepared(data: Path, tmp_path: Path) -> None:
    flickr = data / "captions" / "flickr30k"
    split = flickr / "train_images.txt"
    done = prepare_captions("flickr30k", flickr, tmp_path / "train", CaptionOptions((split,)))
    assert done.counts == {"images": 29000, "captions": 29000, "dropped": {"not listed": 2014}}
    test = data / "flickr8k" / "Flickr_8k.testImages.txt"
    done = prepare_captions("flickr30k", flickr, tmp_path / "clean", CaptionOptions(exclude=test))
    assert done.counts["dropped"] == {"excluded": 929}
    whole = data / "flickr8k" / "Flickr8k.token.txt"
    done = prepare_captions("flickr8k", whole, tmp_path / "8k", CaptionOptions(captions="all"))
    assert done.counts == {"images": 8091, "captions": 40455, "dropped": {"no picture of this name": 1}}
    source = data / "captions" / "coco-val2017" / "captions_val2017.json"
    done = prepare_captions("coco", source, tmp_path / "coco", CaptionOptions(captions="all"))
    assert done.counts == {"images": 5000, "captions": 25014, "dropped": {}}
