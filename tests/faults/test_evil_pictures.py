"""Pictures that explode when they are decoded, and models of pictures that lie: a reason or a named error each, in
little memory and time, and no other decoder and no other file is touched."""

import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import ConvNextImageProcessorPil, ResNetConfig, ResNetModel

from tests.faults.cage import Cage, Outcome, require_refused
from tests.faults.conftest import Runs

MB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With one good picture."""
    made = tmp_path / "pictures"
    made.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(made / "good.jpg")
    return made


def told(outcome: Outcome, *, grown_mb: int = 250) -> dict[str, str]:
    """The reason for each picture, empty where it was read."""
    assert (outcome.fell, outcome.told) == ("", ""), outcome.fell
    assert outcome.grown_mb <= grown_mb, outcome
    reasons: dict[str, str] = json.loads(outcome.answer)
    assert reasons.pop("good.jpg", "") == ""
    return reasons


# ---- pictures ----


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, *extra: bytes, zeros: int = 1024, bits: int = 8, colour: int = 2) -> bytes:
    """A picture that says it is so large, with as many zeros in it as wanted."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(bytes(min(MB, zeros - start))) for start in range(0, zeros, MB)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def resized(path: Path, width: int, height: int) -> bytes:
    """A JPEG whose header says that it is so large."""
    content = path.read_bytes()
    start = content.index(b"\xff\xc0") + 5
    return content[:start] + struct.pack(">HH", height, width) + content[start + 4 :]


def bmp(width: int, height: int) -> bytes:
    size = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + size


def webp(width: int, height: int) -> bytes:
    size = struct.pack("<I", (width - 1) | ((height - 1) << 14))
    body = b"VP8L" + struct.pack("<I", 5) + b"\x2f" + size + b"\x00"
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


BOMBS: dict[str, Callable[[], bytes]] = {
    "900 million pixels.png": lambda: png(30_000, 30_000),
    "as many that are there.png": lambda: png(30_000, 30_000, zeros=300 * MB, bits=1, colour=0),
    "2^31 squared.png": lambda: png((1 << 31) - 1, (1 << 31) - 1),
    "nothing.png": lambda: png(0, 0),
    "a text of 300 MB.png": lambda: png(8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(300 * MB), 1))),
    "a profile of 300 MB.png": lambda: png(8, 8, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(300 * MB), 1))),
    "a chunk of 2 GB.png": lambda: png(8, 8) + struct.pack(">I", (1 << 31) - 1) + b"zTXt",
    "two billion pixels.bmp": lambda: bmp(50_000, 50_000),
    "a negative width.bmp": lambda: bmp(-50_000, 50_000),
    "268 million pixels.webp": lambda: webp(16_384, 16_384),
    "nothing at all.jpg": lambda: b"",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_picture_that_explodes_gets_a_reason(cage: Cage, folder: Path, bomb: str) -> None:
    (folder / bomb).write_bytes(BOMBS[bomb]())
    outcome = cage.call("pictures", folder)
    reasons = told(outcome)
    if "profile" not in bomb and "chunk" not in bomb:  # what stands after the picture or beside it is passed over
        assert reasons[bomb] != ""
    assert outcome.seconds < 10


@pytest.mark.parametrize(("width", "height"), [(65_500, 65_500), (20_000, 20_000), (0, 0), (65_500, 1)])
def test_a_jpeg_that_lies_about_its_size_gets_a_reason(cage: Cage, folder: Path, width: int, height: int) -> None:
    (folder / "lies.jpg").write_bytes(resized(folder / "good.jpg", width, height))
    assert told(cage.call("pictures", folder))["lies.jpg"] != ""


def test_the_largest_picture_that_is_taken_fits_into_memory(cage: Cage, folder: Path) -> None:
    """Two of them, because two are decoded at a time."""
    for number in range(2):
        (folder / f"large{number}.png").write_bytes(png(9_400, 9_400, zeros=9_400 * (1 + 3 * 9_400)))
    reasons = told(cage.call("pictures", folder, memory_mb=4096), grown_mb=1600)
    assert set(reasons.values()) == {""}


FOREIGN: dict[str, bytes] = {
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(touch {marker}) (w) file\nshowpage\n",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "a web page": b"<html><script>fetch('http://127.0.0.1')</script></html>",
    "a GIF": b"GIF89a\xff\xff\xff\xff\x80\x00\x00" + bytes(100),
    "a TIFF": b"II*\x00\x08\x00\x00\x00" + bytes(100),
    "an icon": b"\x00\x00\x01\x00\x01\x00" + bytes(100),
    "a PDF": b"%PDF-1.7\n" + bytes(100),
    "an archive": b"PK\x03\x04" + bytes(100),
    "a program": b"\x7fELF\x02\x01\x01" + bytes(100),
    "a script": b"#!/bin/sh\ntouch {marker}\n",
}


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "webp"])
def test_what_only_has_the_ending_of_a_picture_is_given_to_no_other_decoder(
    cage: Cage, folder: Path, tmp_path: Path, foreign: str, ending: str
) -> None:
    content = FOREIGN[foreign].replace(b"{marker}", str(tmp_path / "it-ran").encode())
    (folder / f"a.{ending}").write_bytes(content)
    assert told(cage.call("pictures", folder))[f"a.{ending}"].startswith("not a picture")
    assert not (tmp_path / "it-ran").exists()


def test_a_picture_that_is_something_else_too_is_a_picture(cage: Cage, folder: Path) -> None:
    good = (folder / "good.jpg").read_bytes()
    (folder / "archive.jpg").write_bytes(good + b"PK\x03\x04" + bytes(100))
    (folder / "page.jpg").write_bytes(good + b"<html><script>alert(1)</script></html>")
    shutil.copy(folder / "good.jpg", folder / "other ending.png")
    assert set(told(cage.call("pictures", folder)).values()) == {""}


def test_what_is_no_file_gets_a_reason_and_keeps_nobody_waiting(cage: Cage, folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    (folder / "nowhere.jpg").symlink_to("nothing")
    (folder / "itself.jpg").symlink_to("itself.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "circle").symlink_to(folder)
    (tmp_path / "secret").write_text("root:canary-7f3a:0:0")
    (folder / "secret.jpg").symlink_to(tmp_path / "secret")
    outcome = cage.call("pictures", folder)
    assert all(told(outcome).values())
    assert "canary" not in outcome.answer
    assert outcome.seconds < 10


def test_ids_that_lead_out_of_the_folder_are_not_read(cage: Cage, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "good.jpg", tmp_path / "outside.jpg")
    names = ["../outside.jpg", str(tmp_path / "outside.jpg"), "a/../../outside.jpg", "good.jpg"]
    (tmp_path / "ids.txt").write_text("\n".join(names) + "\n")
    reasons = told(cage.call("listed_pictures", folder))
    assert set(reasons.values()) == {"it is not below the folder of the pictures"}


# ---- models of pictures ----


@pytest.fixture(scope="session")
def tiny_vision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("vision") / "tiny"
    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    ResNetModel(config).save_pretrained(directory)
    ConvNextImageProcessorPil(size={"shortest_edge": 32}).save_pretrained(directory)
    return directory


@pytest.fixture
def vision(tiny_vision: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_vision, tmp_path / "vision")
    return tmp_path / "vision"


def changed(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_a_model_of_pictures_that_is_whole_is_opened(cage: Cage, vision: Path) -> None:
    outcome = cage.call("image_encoder", vision)
    assert (outcome.fell, outcome.told, outcome.answer) == ("", "", "16")


@pytest.mark.parametrize(
    "fields",
    [
        {"depths": [10**9, 1]},
        {"hidden_sizes": [10**6, 10**6]},
        {"embedding_size": 10**9},
        {"num_channels": -3},
        {"model_type": "../../etc"},
        {"auto_map": {"AutoConfig": "a--b.C", "AutoModel": "b.C"}, "model_type": "canary"},
        {"layer_type": "eval"},
        {"hidden_act": "exec"},
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_a_config_of_a_model_of_pictures_that_lies_is_refused(cage: Cage, vision: Path, fields: dict[str, Any]) -> None:
    changed(vision / "config.json", **fields)
    outcome = cage.call("image_encoder", vision)
    require_refused(outcome)
    assert outcome.seconds < 10


@pytest.mark.parametrize(
    "fields",
    [
        {"size": {"shortest_edge": 10**6}},
        {"size": {"height": 10**5, "width": 10**5}},
        {"size": {"shortest_edge": -1}},
        {"size": {"shortest_edge": 0}},
        {"size": "canary"},
        {"do_resize": False},
        {"image_mean": [1]},
        {"image_std": [0, 0, 0]},
        {"image_processor_type": "os.system"},
        {"image_processor_type": "../../etc"},
        {"auto_map": {"AutoImageProcessor": "a--b.C"}, "image_processor_type": "canary"},
        {"resample": 99},
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_a_processor_that_lies_is_refused(cage: Cage, vision: Path, fields: dict[str, Any]) -> None:
    changed(vision / "preprocessor_config.json", **fields)
    outcome = cage.call("image_encoder", vision)
    require_refused(outcome)
    assert outcome.seconds < 10


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"null", b"\xff\xfe", b'{"size": ' + b"9" * 5000 + b"}"])
def test_settings_of_other_content_are_refused(cage: Cage, vision: Path, name: str, content: bytes) -> None:
    (vision / name).write_bytes(content)
    require_refused(cage.call("image_encoder", vision))


def test_a_pickle_for_weights_runs_nothing(cage: Cage, vision: Path, runs: Runs) -> None:
    (vision / "model.safetensors").unlink()
    torch.save({"embedder.embedder.convolution.weight": runs}, vision / "pytorch_model.bin")
    require_refused(cage.call("image_encoder", vision))
