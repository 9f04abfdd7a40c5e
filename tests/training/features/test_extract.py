import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.files import replaced_file, sha256_of
from models.images import ImageEncoder
from tests.training.features.conftest import quiet, write_picture
from training.data.features import read_features
from training.errors import DataError
from training.features.extract import Extraction, extract
from training.features.pictures import find_pictures
from training.features.record import Outcome


def read(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    found = read_features(path)
    assert found.ids is not None
    return found.ids, found.values.astype(np.float32)


def run(job: Extraction, encoder: ImageEncoder) -> Outcome:
    return extract(job, encoder, quiet)


def straight(folder: Path, names: list[str], encoder: ImageEncoder) -> NDArray[np.float32]:
    """Features without any of the machinery under test."""
    rows = []
    for name in names:
        with Image.open(folder / name) as image:
            rows.append(encoder.encode([image])[0])
    return np.stack(rows)


def beside(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir() if not entry.is_dir() or ".partial" in entry.name)


@pytest.mark.parametrize("ending", [".npz", ".h5", ".hdf5", ".safetensors"])
def test_every_format_holds_the_features_of_every_picture(
    pictures: Path, encoder: ImageEncoder, tmp_path: Path, ending: str
) -> None:
    output = tmp_path / f"features{ending}"
    outcome = run(Extraction(pictures, output, batch_size=5), encoder)
    ids, values = read(output)
    assert outcome == Outcome(features=12, width=16, skipped=0, already=False)
    assert ids == find_pictures(pictures)
    np.testing.assert_allclose(values, straight(pictures, find_pictures(pictures), encoder), atol=1e-5)
    assert beside(tmp_path) == [output.name, f"{output.name}.json"]


def test_the_record_says_how_it_was_made(pictures: Path, encoder: ImageEncoder, tmp_path: Path) -> None:
    output = tmp_path / "f.npz"
    run(Extraction(pictures, output, dtype="float16"), encoder)
    record = json.loads((tmp_path / "f.npz.json").read_text())
    assert (record["pictures"], record["features"], record["skipped"], record["width"]) == (12, 12, 0, 16)
    assert record["encoder_fingerprint"] == encoder.fingerprint
    assert (record["encoder"], record["layer"], record["dtype"]) == ("tiny-resnet", "pooler_output", "float16")
    assert record["preprocessing"]["size"] == {"shortest_edge": 32}
    assert record["exif_orientation"] == "not applied"
    assert record["sha256"] == sha256_of(output)
    assert set(record["versions"]) == {"pillow", "torch", "transformers"}


def test_half_precision_halves_the_numbers_and_not_the_computation(
    pictures: Path, encoder: ImageEncoder, tmp_path: Path
) -> None:
    for dtype in ("float16", "float32"):
        run(Extraction(pictures, tmp_path / f"{dtype}.npz", dtype=dtype), encoder)
    with np.load(tmp_path / "float16.npz") as half, np.load(tmp_path / "float32.npz") as single:
        assert half["features"].dtype == np.float16
        np.testing.assert_array_equal(half["features"], single["features"].astype(np.float16))


def test_a_list_chooses_pictures_and_their_order(pictures: Path, encoder: ImageEncoder, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("more/09.jpg\n00.jpg\n04.png\n")
    run(Extraction(pictures, tmp_path / "f.npz", listed=tmp_path / "ids.txt"), encoder)
    ids, values = read(tmp_path / "f.npz")
    assert ids == ["more/09.jpg", "00.jpg", "04.png"]
    np.testing.assert_allclose(values, straight(pictures, ids, encoder), atol=1e-5)


def test_pictures_that_cannot_be_read_are_listed_and_cost_nothing_else(
    pictures: Path, encoder: ImageEncoder, tmp_path: Path
) -> None:
    whole = straight(pictures, find_pictures(pictures), encoder)
    (pictures / "00.jpg").write_bytes((pictures / "00.jpg").read_bytes()[:-300])
    (pictures / "05.webp").write_text("no picture")
    outcome = run(Extraction(pictures, tmp_path / "f.npz", batch_size=4), encoder)
    ids, values = read(tmp_path / "f.npz")
    skipped = [line.split("\t") for line in (tmp_path / "f.npz.skipped.txt").read_text().splitlines()]
    assert [name for name, _ in skipped] == ["00.jpg", "05.webp"]
    assert skipped[1][1] == "not a picture (BMP, JPEG, PNG, WEBP)"
    assert (outcome.features, outcome.skipped) == (10, 2)
    kept = [row for row, name in enumerate(find_pictures(pictures)) if name in ids]
    assert len(kept) == 10
    np.testing.assert_allclose(values, whole[kept], atol=1e-5)


def test_a_list_may_name_a_picture_that_is_not_there(pictures: Path, encoder: ImageEncoder, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("00.jpg\nghost.jpg\n")
    outcome = run(Extraction(pictures, tmp_path / "f.npz", listed=tmp_path / "ids.txt"), encoder)
    assert (outcome.features, outcome.skipped) == (1, 1)
    assert (tmp_path / "f.npz.skipped.txt").read_text() == "ghost.jpg\tthere is no such file\n"


def test_no_readable_picture_at_all_is_an_error(encoder: ImageEncoder, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        (tmp_path / "pictures" / f"{number}.jpg").write_text("no picture")
    with pytest.raises(DataError, match=r"none of the 3 pictures could be read; the first, 0\.jpg: not a picture"):
        run(Extraction(tmp_path / "pictures", tmp_path / "f.npz"), encoder)
    assert beside(tmp_path) == []


def test_a_second_call_does_nothing(pictures: Path, encoder: ImageEncoder, tmp_path: Path) -> None:
    job = Extraction(pictures, tmp_path / "f.npz")
    first = run(job, encoder)
    written = (tmp_path / "f.npz").stat().st_mtime_ns
    told: list[int] = []
    second = extract(job, encoder, lambda *state: told.append(state[0]))
    assert second == Outcome(first.features, first.width, first.skipped, already=True)
    assert (tmp_path / "f.npz").stat().st_mtime_ns == written
    assert told == []


@pytest.mark.parametrize("change", ["picture added", "picture changed", "batch size", "dtype", "damaged", "no record"])
def test_an_output_of_something_else_is_never_overwritten(
    pictures: Path, encoder: ImageEncoder, tmp_path: Path, change: str
) -> None:
    output = tmp_path / "f.npz"
    run(Extraction(pictures, output), encoder)
    changed: dict[str, dict[str, Any]] = {"batch size": {"batch_size": 3}, "dtype": {"dtype": "float16"}}
    acts: dict[str, Callable[[], object]] = {
        "picture added": lambda: write_picture(pictures / "new.png", 99),
        "picture changed": lambda: write_picture(pictures / "00.jpg", 99, size=(50, 50)),
        "damaged": lambda: output.write_bytes(output.read_bytes()[:-1]),
        "no record": (tmp_path / "f.npz.json").unlink,
    }
    if change in acts:
        acts[change]()
    before = output.read_bytes()
    with pytest.raises(DataError, match="it is there already, and was not made of these pictures with these settings"):
        run(Extraction(pictures, output, **changed.get(change, {})), encoder)
    assert output.read_bytes() == before


def test_progress_counts_pictures_up_to_all_of_them(pictures: Path, encoder: ImageEncoder, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    extract(
        Extraction(pictures, tmp_path / "f.npz", batch_size=5), encoder, lambda done, total: told.append((done, total))
    )
    assert told == [(0, 12), (5, 12), (10, 12), (12, 12)]


@pytest.mark.parametrize(
    ("output", "message"),
    [("f.csv", r"its ending is none of \.h5, \.hdf5, \.npz"), ("none/f.npz", "there is no such folder to write into")],
)
def test_an_output_that_cannot_be_is_refused_before_any_work(
    pictures: Path, encoder: ImageEncoder, tmp_path: Path, output: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        run(Extraction(pictures, tmp_path / output), encoder)


def test_features_beyond_half_precision_are_named(
    pictures: Path, encoder: ImageEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def large(self: ImageEncoder, pixels: Any) -> NDArray[np.float32]:
        return np.full((len(pixels), 16), 7e4, dtype=np.float32)

    monkeypatch.setattr(ImageEncoder, "encode_pixels", large)
    with pytest.raises(DataError, match=r"00\.jpg: its features do not fit float16"):
        run(Extraction(pictures, tmp_path / "f.npz", dtype="float16"), encoder)
    assert not (tmp_path / "f.npz").exists()
    assert run(Extraction(pictures, tmp_path / "g.npz"), encoder).features == 12


def test_a_full_disk_is_named_and_what_was_done_is_kept(
    encoder: ImageEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        write_picture(tmp_path / "pictures" / f"{number:03}.bmp", number, size=(8, 8))
    job = Extraction(tmp_path / "pictures", tmp_path / "f.npz", batch_size=64)

    def full(path: Path) -> Any:
        if path.name == "000001.npz":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replaced_file(path)

    with monkeypatch.context() as patched:
        patched.setattr("training.features.partial.replaced_file", full)
        with pytest.raises(DataError, match=r"f\.npz: cannot be written \(No space left on device\)"):
            run(job, encoder)
    assert beside(tmp_path) == ["f.npz.partial"]
    told: list[int] = []
    extract(job, encoder, lambda *state: told.append(state[0]))
    assert told == [256, 300]
