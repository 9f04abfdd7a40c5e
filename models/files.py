"""Directories that are whole or absent, and the digests that prove it."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(directory: Path) -> list[Path]:
    """Every file below a directory, sorted, as paths relative to it."""
    return sorted(path.relative_to(directory) for path in directory.rglob("*") if path.is_file())


def read_small(path: Path, *, most_bytes: int = 1 << 20) -> bytes:
    """The content of a small file that we wrote.

    Raises:
        OSError: it is missing, cannot be read, is larger, or is no file: a pipe would keep us waiting.
    """
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no file")
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(f"{path} is over {most_bytes} bytes")
    return content


def write_json(path: Path, content: Any) -> None:
    """Write JSON for people to read too; durable only with the directory it is in."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file: it holds the old content or the new, also after a crash."""
    with replaced_file(path) as file:
        file.write(content)


@contextmanager
def replaced_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write; on success it becomes `path`, on failure nothing changed."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:  # Ctrl-C too: leave no rubbish, and let the caller know
        Path(name).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


@contextmanager
def replaced_directory(target: Path) -> Iterator[Path]:
    """Give an empty directory to fill; on success it becomes `target`, on failure nothing changed.

    Everything is synced to disk before the rename. An old `target` is moved aside first and deleted last.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield scratch
        _sync_tree(scratch)
        _swap(scratch, target)
    except BaseException:  # Ctrl-C too: leave no rubbish, and let the caller know
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def sync_directory(directory: Path) -> None:
    """Make renames inside a directory durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_tree(directory: Path) -> None:
    # Everybody may read it, whatever the umask and the writers say: a service runs as another user.
    for name in files_below(directory):
        (directory / name).chmod(0o644)
        with (directory / name).open("rb") as file:
            os.fsync(file.fileno())
    for path in (directory, *(path for path in directory.rglob("*") if path.is_dir())):
        path.chmod(0o755)
        sync_directory(path)


def _swap(scratch: Path, target: Path) -> None:
    old = scratch.with_name(f"{scratch.name}.old")
    if target.exists():
        target.rename(old)
    try:
        scratch.rename(target)
    except BaseException:  # put the old one back before the caller knows
        if old.exists():
            old.rename(target)
        raise
    sync_directory(target.parent)
    shutil.rmtree(old, ignore_errors=True)
