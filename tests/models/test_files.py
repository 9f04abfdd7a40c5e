import subprocess
import sys
from pathlib import Path

import pytest

from models.files import replaced_directory, replaced_file, sha256_of, write_durably


def _stop_halfway(path: Path) -> None:
    with replaced_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt


def test_a_file_holds_the_old_content_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_durably(path, b"old")
    with pytest.raises(KeyboardInterrupt):
        _stop_halfway(path)
    assert path.read_bytes() == b"old"
    write_durably(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_killed_writer_leaves_the_old_directory(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with replaced_directory(target) as directory:
        (directory / "weights").write_text("old")
    code = (
        "import os, signal, sys; from pathlib import Path; from models.files import replaced_directory\n"
        "with replaced_directory(Path(sys.argv[1])) as directory:\n"
        "    (directory / 'weights').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(target)], cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -9
    assert (target / "weights").read_text() == "old"


def test_directories_inside_are_replaced_too(tmp_path: Path) -> None:
    for content in ("old", "new"):
        with replaced_directory(tmp_path / "x") as directory:
            (directory / "inner").mkdir()
            (directory / "inner" / "file").write_text(content)
    assert (tmp_path / "x" / "inner" / "file").read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_the_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
