from pathlib import Path

import pytest
from typer.testing import CliRunner

from training.cli import app


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["prepare", *map(str, arguments)])
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "t.token"
    path.write_text("".join(f"{n}.jpg#{i}\tcaption {i} of {n}\n" for n in (1, 2, 3) for i in range(5)))
    return path


def test_captions_are_prepared_and_the_second_call_says_so(tokens: Path, tmp_path: Path) -> None:
    (tmp_path / "split.txt").write_text("1.jpg\n3.jpg\n")
    arguments = ("flickr30k", tokens, "--output", tmp_path / "out", "--split", tmp_path / "split.txt", "--seed", 4)
    code, told = run(*arguments)
    assert code == 0
    assert told == f"2 captions of 2 images in {tmp_path}/out/captions.token.txt; dropped: 1 not listed"
    code, told = run(*arguments)
    assert code == 0
    assert told.startswith(f"{tmp_path}/out: prepared before with these settings, nothing to do; 2 captions")


def test_all_captions_are_kept_where_asked_for(tokens: Path, tmp_path: Path) -> None:
    code, told = run("flickr8k", tokens, "--output", tmp_path / "out", "--captions", "all")
    assert (code, told) == (0, f"15 captions of 3 images in {tmp_path}/out/captions.token.txt")


def test_text_is_prepared(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("One dog runs in snow.\nHi\nTwo cats sit in grass.\n")
    code, told = run("wiki", tmp_path / "t.txt", "--output", tmp_path / "out", "--limit", 1)
    assert code == 0
    assert "1 sentences in" in told
    assert told.endswith("dropped: 1 fewer than 5 words, 1 not sampled")


@pytest.mark.parametrize("kind", ["flickr30k", "flickr8k", "coco", "wiki"])
def test_a_source_that_is_not_there_is_told_in_one_sentence(tmp_path: Path, kind: str) -> None:
    code, told = run(kind, tmp_path / "none", "--output", tmp_path / "out")
    assert code == 1
    assert f"Error: {tmp_path}/none: there is no such file or folder." in told


def test_an_unknown_kind_of_captions_is_refused(tokens: Path, tmp_path: Path) -> None:
    code, told = run("coco", tokens, "--output", tmp_path / "out", "--captions", "two")
    assert code == 2
    assert "two" in told
