import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.errors import DataError
from training.features.pictures import Unreadable, find_pictures, read_ahead


def size_of(image: Image.Image) -> tuple[int, int]:
    image.load()
    return image.size


def read(folder: Path, *names: str) -> list[tuple[int, int] | Unreadable]:
    return list(read_ahead(folder, names, size_of, ahead=4))


def reason(folder: Path, name: str) -> str:
    (found,) = read(folder, name)
    assert isinstance(found, Unreadable)
    return found.reason


def test_ids_are_sorted_paths_below_the_folder(pictures: Path) -> None:
    (pictures / "notes.txt").write_text("no picture")
    (pictures / "._00.jpg").write_bytes(b"left by a desktop")
    (pictures / ".cache").mkdir()
    (pictures / ".cache" / "x.jpg").write_bytes(b"")
    (pictures / "LOUD.JPG").write_bytes((pictures / "00.jpg").read_bytes())
    found = find_pictures(pictures)
    assert found == sorted(found)
    assert len(found) == 13
    assert {"LOUD.JPG", "00.jpg", "more/08.webp"} <= set(found)


def test_a_folder_that_is_missing_or_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        find_pictures(tmp_path / "none")
    with pytest.raises(DataError, match=r"no pictures below it; looked for \.bmp, \.jpeg"):
        find_pictures(tmp_path)


@pytest.mark.parametrize("name", [b"a\tb.jpg", b"a\nb.jpg", b"\xff.jpg", b" a.jpg"], ids=repr)
def test_a_name_that_cannot_stand_in_a_list_of_ids_is_refused(tmp_path: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot stand in a list of ids\. Rename it"):
        find_pictures(tmp_path)


def test_pictures_come_in_the_order_asked_for(tmp_path: Path) -> None:
    for number in range(20):
        Image.new("RGB", (number + 1, 400 if number == 0 else 10)).save(tmp_path / f"{number}.png")
    names = [f"{number}.png" for number in (7, 3, 19, 1, 4, 4)]
    assert [found[0] for found in read(tmp_path, *names) if not isinstance(found, Unreadable)] == [8, 4, 20, 2, 5, 5]


def test_what_cannot_be_read_gets_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:-2000])
    (tmp_path / "text.jpg").write_text("<html>404</html>")
    (tmp_path / "empty.jpg").write_bytes(b"")
    Image.fromarray(noise).save(tmp_path / "other.gif")
    (tmp_path / "folder.jpg").mkdir()
    Image.new("RGB", (1000, 2)).save(tmp_path / "strip.png")
    assert reason(tmp_path, "cut.jpg").startswith("cannot be decoded (image file is truncated")
    assert reason(tmp_path, "text.jpg") == reason(tmp_path, "empty.jpg") == "not a picture (BMP, JPEG, PNG, WEBP)"
    assert reason(tmp_path, "other.gif") == "not a picture (BMP, JPEG, PNG, WEBP)"
    assert reason(tmp_path, "none.jpg") == "there is no such file"
    assert "cannot be decoded" in reason(tmp_path, "folder.jpg")
    assert reason(tmp_path, "strip.png") == "its longer side is more than 100 times the shorter"
    assert read(tmp_path, "whole.jpg") == [(80, 60)]


@pytest.mark.parametrize("limit", [4000, 2000], ids=["warned of by Pillow", "refused by Pillow"])
def test_a_decompression_bomb_is_never_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    Image.new("RGB", (80, 60)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert reason(tmp_path, "bomb.png") == f"more than {limit} pixels"


def test_no_damage_stops_the_reading(tmp_path: Path) -> None:
    """Bytes of real files changed at random: each gives a picture or a reason, and no exception."""
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    names = []
    for ending in ("bmp", "jpg", "png", "webp"):
        noise.save(tmp_path / f"whole.{ending}")
        whole = np.frombuffer((tmp_path / f"whole.{ending}").read_bytes(), dtype=np.uint8)
        for number in range(100):
            damaged = whole.copy()
            damaged[random.integers(0, min(200, len(whole)), 4)] = random.integers(0, 256, 4)
            names.append(f"{number}.{ending}")
            (tmp_path / names[-1]).write_bytes(damaged.tobytes())
    found = read(tmp_path, *names)
    assert len(found) == 400
    assert sum(isinstance(item, Unreadable) for item in found) > 50


def test_two_threads_read_and_never_far_ahead(pictures: Path) -> None:
    threads, reading = set(), []

    def note(image: Image.Image) -> int:
        threads.add(threading.get_ident())
        reading.append(image.size)
        return len(reading)

    names = find_pictures(pictures) * 5
    stream: Iterator[int | Unreadable] = read_ahead(pictures, names, note, ahead=3)
    next(stream)
    assert len(reading) <= 4
    assert len(list(stream)) == len(names) - 1
    assert 1 <= len(threads) <= 2


def test_leaving_early_stops_the_threads(pictures: Path) -> None:
    before = threading.active_count()
    stream = read_ahead(pictures, find_pictures(pictures), size_of, ahead=3)
    next(stream)
    stream.close()
    assert threading.active_count() == before
