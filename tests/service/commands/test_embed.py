"""`mcse embed` as a user calls it."""

import gzip
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from pyarrow import parquet

from models import ReferenceRuntime, load
from tests.service.commands.conftest import Run, mcse

LINES = ["a dog", "the cat sits on the big green car in the street", "two people"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.txt"
    path.write_text("\n".join(LINES) + "\n")
    return path


def piped(text: str, *words: object) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own, with this on its standard input."""
    return subprocess.run(mcse(*words), input=text, capture_output=True, text=True, check=False)


def one_line(directory: Path, text: str = "a dog") -> Path:
    path = directory / "one.txt"
    path.write_text(text + "\n")
    return path


@pytest.mark.parametrize("normalize", [True, False])
def test_it_writes_a_row_per_line_in_their_order(
    run: Run, tmp_path: Path, source: Path, tiny_bundle: Path, normalize: bool
) -> None:
    flag = "--normalize" if normalize else "--no-normalize"
    done = run("embed", source, "-o", tmp_path / "out.npy", "--model", tiny_bundle, flag, "--precision", "float32")
    assert "3 texts to" in done.stderr
    checkpoint = load(tiny_bundle)
    expected = ReferenceRuntime(checkpoint).encode([t.ids for t in checkpoint.tokenizer.encode(LINES)])
    if normalize:
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-5)


def test_it_reads_standard_input_into_the_grounded_space_and_counts_what_was_cut(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    call = ("embed", "-", "-o", tmp_path / "g.npy", "--model", tiny_bundle)
    done = piped("dog " * 50 + "\n", *call, "--space", "grounded")
    assert done.returncode == 0
    assert "1 were longer than the model reads" in done.stderr
    assert np.load(tmp_path / "g.npy").shape == (1, 8)
    done = piped("a dog\n", *call, "--resume")
    assert done.returncode == 1
    assert "--resume needs files" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["g.npy"]


def test_a_pipe_that_holds_a_bad_line_leaves_nothing_behind(tmp_path: Path, tiny_bundle: Path) -> None:
    done = piped("a dog\n\na cat\n", "embed", "-", "-o", tmp_path / "x.npy", "--model", tiny_bundle)
    assert done.returncode == 1
    assert "line 2: The line is empty" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_may_not_be_cut_ends_it(run: Run, tmp_path: Path, tiny_bundle: Path) -> None:
    call = ("embed", one_line(tmp_path, "dog " * 50), "-o", tmp_path / "x.npy", "--model", tiny_bundle)
    done = run(*call, "--no-truncate", exits=1)
    assert "line 1: The text has 52 tokens; the model takes 20" in done.stderr


def test_it_takes_another_pooling_and_refuses_a_folder_that_is_not_there(
    run: Run, tmp_path: Path, tiny_bundle: Path
) -> None:
    call = ("embed", one_line(tmp_path), "--model", tiny_bundle, "-o")
    for pooling in ("mean", "cls"):
        run(*call, tmp_path / f"{pooling}.npy", "--pooling", pooling)
    assert not np.allclose(np.load(tmp_path / "mean.npy"), np.load(tmp_path / "cls.npy"))
    done = run(*call, tmp_path / "none" / "x.npy", exits=1)
    assert "there is no such directory to write into" in done.stderr


def test_it_goes_through_the_mlp_head_if_asked_and_if_there_is_one(
    run: Run, tmp_path: Path, tiny_base: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCSE_POOLING", "cls_mlp")
    flags = ("--no-normalize", "--precision", "float32", "--model")
    call = ("embed", one_line(tmp_path), "-o", tmp_path / "x.npy", *flags)
    run(*call, tiny_bundle)
    checkpoint = load(tiny_bundle, pooling="cls_mlp")
    expected = ReferenceRuntime(checkpoint).encode([t.ids for t in checkpoint.tokenizer.encode(["a dog"])])
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), expected, atol=1e-6)
    done = run(*call, tiny_base, exits=1)
    assert "cls_mlp pooling goes through a trained MLP head, and this checkpoint has none" in done.stderr


def test_it_names_the_line_that_holds_nothing(run: Run, tmp_path: Path, tiny_bundle: Path) -> None:
    call = ("embed", one_line(tmp_path, "a dog\n\u200b\na cat"), "-o", tmp_path / "x.npy", "--model", tiny_bundle)
    done = run(*call, exits=1)
    assert "line 2: It cannot be embedded: the text has no content" in done.stderr
    assert not (tmp_path / "x.npy").exists()
    done = run(*call, "--resume", "--rejected", tmp_path / "rejected.jsonl")
    assert "1 records are left out" in done.stderr
    assert json.loads((tmp_path / "rejected.jsonl").read_text())["line"] == 2
    assert len(np.load(tmp_path / "x.npy")) == 2


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--space", "grounded"), "no grounding head"),
        (("--dimensions", 33), "between 1 and 32"),
        (("--prompt-name", "query"), "no prompt of that name"),
        (("--quantization", "int8", "--no-normalize"), "length 1"),
    ],
)
def test_what_the_model_has_not_is_refused(
    run: Run, tmp_path: Path, tiny_base: Path, flags: tuple[object, ...], told: str
) -> None:
    done = run("embed", one_line(tmp_path), "-o", tmp_path / "x.npy", "--model", tiny_base, *flags, exits=1)
    assert told in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["one.txt"]


def test_files_of_several_formats_become_one_table(run: Run, tmp_path: Path, source: Path, tiny_bundle: Path) -> None:
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b'key;text;n\n007;"a; dog";5\n'))
    (tmp_path / "c.jsonl").write_text('{"key": 8, "text": "a cat", "n": [1], "other": 1}\n')
    call = ("embed", source, tmp_path / "b.csv.gz", tmp_path / "c.jsonl", "-o", tmp_path / "out.parquet")
    flags = ("--with-text", "--id-field", "key", "--metadata", "n", "--type", "n=int", "--delimiter", ";")
    run(*call, *flags, "--model", tiny_bundle, "--dimensions", 5, "--id-prefix", "x-")
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table["id"].to_pylist() == ["x-in.txt:1", "x-in.txt:2", "x-in.txt:3", "007", "8"]
    assert table["text"].to_pylist() == [*LINES, "a; dog", "a cat"]
    assert table["metadata"].to_pylist() == [None, None, None, '{"n":5}', '{"n":[1]}']
    assert table["vector"].type.list_size == 5


def test_the_table_goes_into_a_collection(
    run: Run, tmp_path: Path, tiny_bundle: Path, url: str, client: httpx.Client
) -> None:
    """Of the width that the model of the server has."""
    (tmp_path / "in.jsonl").write_text('{"id": 5, "text": "a dog", "of": "pets"}\n')
    flags = ("--with-text", "--metadata", "of", "--dimensions", 16, "--model", tiny_bundle)
    run("embed", tmp_path / "in.jsonl", "-o", tmp_path / "out.parquet", *flags)
    run("index", tmp_path / "out.parquet", "--collection", "pets", "--url", url)
    point = client.post("/collections/pets/points/scroll", json={"with_vector": True}).json()["points"][0]
    assert (point["id"], point["text"], point["metadata"]) == (5, "a dog", {"of": "pets", "dropped_tokens": 0})
    vector = parquet.read_table(tmp_path / "out.parquet")["vector"].to_pylist()[0]
    np.testing.assert_allclose(point["vector"], vector, atol=1e-6)


def test_a_run_that_is_killed_goes_on(tmp_path: Path, tiny_bundle: Path, run: Run) -> None:
    (tmp_path / "in.txt").write_text("".join(f"{LINES[n % 3]} {'big ' * (n % 7)}\n" for n in range(30_000)))
    call = ("embed", tmp_path / "in.txt", "-o", tmp_path / "out.npy", "--model", tiny_bundle, "--batch-size", 16)
    process = subprocess.Popen(mcse(*call), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    state = tmp_path / "out.npy.partial" / "state.json"
    while process.poll() is None and not (state.exists() and json.loads(state.read_bytes())["progress"]["rows"]):
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "out.npy").exists()
    before = json.loads(state.read_bytes())["progress"]["rows"]
    assert 0 < before < 30_000
    run(*call, "--resume", "--batch-size", 2048)
    run("embed", tmp_path / "in.txt", "-o", tmp_path / "whole.npy", "--model", tiny_bundle)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), np.load(tmp_path / "whole.npy"), atol=1e-6)


def test_ctrl_c_ends_it_with_a_sentence(tmp_path: Path, tiny_bundle: Path) -> None:
    """While it waits for what comes through a pipe."""
    call = mcse("embed", "-", "-o", tmp_path / "out.npy", "--model", tiny_bundle)
    process = subprocess.Popen(call, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "out.npy.partial").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, told = process.communicate("a dog\n", timeout=60)
    assert process.returncode == 130
    assert told.strip() == "Stopped."
    assert list(tmp_path.iterdir()) == []
