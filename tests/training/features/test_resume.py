"""Killed at any point, `mcse features` goes on to the same bytes."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.files import sha256_of
from models.images import ImageEncoder
from tests.training.features.conftest import quiet, write_picture
from training.errors import DataError
from training.features.extract import Extraction, extract

COUNT = 700  # three chunks


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for number in range(COUNT):
        write_picture(folder / f"{number:03}.bmp", number, size=(12, 10))
    (folder / "300.bmp").write_text("no picture")
    return folder


def command(pictures: Path, encoder: Path, output: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "training", "features", str(pictures)),
        *("--encoder", str(encoder), "--output", str(output), "--batch-size", "2"),
    ]


def kill_after(chunks: int, pictures: Path, encoder: Path, output: Path) -> None:
    """Start the command and end it with SIGKILL as soon as so many chunks are written."""
    process = subprocess.Popen(command(pictures, encoder, output), stderr=subprocess.DEVNULL)
    folder = output.with_name(f"{output.name}.partial")
    while len(list(folder.glob("*/0*.npz"))) < chunks:
        assert process.poll() is None, "it was done before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_to_the_same_bytes(many: Path, tiny_resnet: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole.h5", tmp_path / "killed.h5"
    subprocess.run(command(many, tiny_resnet, whole), check=True, stderr=subprocess.DEVNULL)
    for chunks in (1, 2):
        kill_after(chunks, many, tiny_resnet, killed)
        assert not killed.exists()
    done = subprocess.run(command(many, tiny_resnet, killed), check=True, capture_output=True, text=True)
    assert f"{COUNT - 1} x 16 features" in " ".join(done.stderr.split())
    assert "1 could not be read" in " ".join(done.stderr.split())
    assert sha256_of(killed) == sha256_of(whole)
    for ending in (".json", ".skipped.txt"):
        assert Path(f"{killed}{ending}").read_bytes() == Path(f"{whole}{ending}").read_bytes()
    assert not killed.with_name(f"{killed.name}.partial").exists()


def test_it_goes_on_from_the_chunks_that_are_there(many: Path, encoder: ImageEncoder, tmp_path: Path) -> None:
    job = Extraction(many, tmp_path / "f.npz", batch_size=2)
    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        if done >= 600:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(job, encoder, stop)
    assert not job.output.exists()
    resumed: list[int] = []
    extract(job, encoder, lambda *state: resumed.append(state[0]))
    assert resumed[0] == 512
    assert resumed[-1] == COUNT


@pytest.mark.parametrize("ending", [".npz", ".h5", ".safetensors"])
def test_the_same_pictures_give_the_same_bytes(
    pictures: Path, encoder: ImageEncoder, tmp_path: Path, ending: str
) -> None:
    outputs = [tmp_path / f"{name}{ending}" for name in ("first", "second")]
    for output in outputs:
        extract(Extraction(pictures, output), encoder, quiet)
        time.sleep(2 if output == outputs[0] else 0)  # a time in the file would show
    assert sha256_of(outputs[0]) == sha256_of(outputs[1])


def interrupted(job: Extraction, encoder: ImageEncoder, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    """Stop as if killed, right before a function of the last stage."""

    def stop(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"training.features.extract.{function}", stop)
        with pytest.raises(KeyboardInterrupt):
            extract(job, encoder, quiet)


@pytest.mark.parametrize("function", ["write_skipped", "write_features", "write_record", "Partial.remove"])
def test_stopped_in_the_last_stage_it_still_comes_out_right(
    pictures: Path, encoder: ImageEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    (pictures / "bad.jpg").write_text("no picture")
    whole, job = Extraction(pictures, tmp_path / "whole.npz"), Extraction(pictures, tmp_path / "f.npz")
    extract(whole, encoder, quiet)
    interrupted(job, encoder, monkeypatch, function)
    outcome = extract(job, encoder, quiet)
    assert outcome.already == (function == "Partial.remove")
    assert sha256_of(job.output) == sha256_of(whole.output)
    assert json.loads((tmp_path / "f.npz.json").read_text())["sha256"] == sha256_of(job.output)
    assert not (tmp_path / "f.npz.partial").exists()


def test_chunks_of_other_settings_are_not_used(
    pictures: Path, encoder: ImageEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(Extraction(pictures, tmp_path / "f.npz", batch_size=4), encoder, monkeypatch, "write_features")
    write_picture(pictures / "00.jpg", 99, size=(60, 60))
    seen: list[int] = []
    extract(Extraction(pictures, tmp_path / "f.npz", batch_size=4), encoder, lambda *state: seen.append(state[0]))
    assert seen[0] == 0
    assert not (tmp_path / "f.npz.partial").exists()


def test_a_damaged_chunk_is_named(
    pictures: Path, encoder: ImageEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Extraction(pictures, tmp_path / "f.npz")
    interrupted(job, encoder, monkeypatch, "write_features")
    (chunk,) = (tmp_path / "f.npz.partial").glob("*/0*.npz")
    chunk.write_bytes(chunk.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"000000\.npz: cannot be read\. Delete it and run the command again"):
        extract(job, encoder, quiet)
    chunk.unlink()
    assert extract(job, encoder, quiet).features == 12


def test_an_output_that_was_deleted_is_made_again_without_what_was_left_of_it(
    pictures: Path, encoder: ImageEncoder, tmp_path: Path
) -> None:
    (pictures / "bad.jpg").write_text("no picture")
    job = Extraction(pictures, tmp_path / "f.npz")
    extract(job, encoder, quiet)
    job.output.unlink()
    (pictures / "bad.jpg").unlink()
    assert extract(job, encoder, quiet).skipped == 0
    assert not (tmp_path / "f.npz.skipped.txt").exists()
