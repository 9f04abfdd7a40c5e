"""Our own C++ becomes a library that is whole or absent."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from models.compiler import compile_library


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Where something is already."""
    path = tmp_path / "built" / "answer.so"
    path.parent.mkdir()
    path.write_bytes(b"what was there")
    return path


def test_a_library_does_what_its_source_and_options_say(tmp_path: Path, library: Path) -> None:
    source = tmp_path / "answer.cpp"
    source.write_text('extern "C" int answer() { return ANSWER; }\n')
    compile_library(source, library, ["-DANSWER=42"])
    assert ctypes.CDLL(str(library)).answer() == 42
    assert [*library.parent.iterdir()] == [library]


@pytest.mark.parametrize("wrong", ["int broken(", "static int unused(int never) { return 1; }\n"])
def test_an_error_and_a_warning_leave_what_was_there(
    tmp_path: Path, library: Path, wrong: str, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "answer.cpp"
    source.write_text(wrong)
    with pytest.raises(subprocess.CalledProcessError):
        compile_library(source, library, [])
    assert "error" in capfd.readouterr().err
    assert library.read_bytes() == b"what was there"
    assert [*library.parent.iterdir()] == [library]


def test_a_compiler_that_fails_makes_no_library(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        compile_library(tmp_path / "missing.cpp", tmp_path / "built" / "answer.so", ["-no-such-option"])
    assert [*tmp_path.rglob("*.so")] == []
