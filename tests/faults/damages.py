"""What can happen to a file."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Damage: TypeAlias = Callable[[bytearray, random.Random], None]

PAGE = 4096


def flip_bit(content: bytearray, draw: random.Random) -> None:
    """One bit is another one."""
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)


def zero_page(content: bytearray, draw: random.Random) -> None:
    """A page was never written."""
    start = draw.randrange(-(-len(content) // PAGE)) * PAGE
    content[start : start + PAGE] = bytes(len(content[start : start + PAGE]))


def truncate(content: bytearray, draw: random.Random) -> None:
    """The end is missing."""
    del content[draw.randrange(len(content)) :]


def swap_pages(content: bytearray, draw: random.Random) -> None:
    """Two pages were written where the other one belongs."""
    if len(content) < 2 * PAGE:
        return
    first, second = (slice(page * PAGE, (page + 1) * PAGE) for page in draw.sample(range(len(content) // PAGE), 2))
    content[first], content[second] = content[second], content[first]


DAMAGES: tuple[Damage, ...] = (flip_bit, zero_page, truncate, swap_pages)


def remove(path: Path) -> None:
    """It is gone."""
    path.unlink()


def empty(path: Path) -> None:
    """Nothing is in it."""
    path.write_bytes(b"")


def put_directory(path: Path) -> None:
    """A directory is in its place."""
    path.unlink()
    path.mkdir()


def put_link_to_nothing(path: Path) -> None:
    """A link is in its place, and leads nowhere."""
    path.unlink()
    path.symlink_to("nowhere")


def put_pipe(path: Path) -> None:
    """A pipe is in its place: whoever opens it to read waits for ever."""
    path.unlink()
    os.mkfifo(path)


def put_text(path: Path) -> None:
    """Something else is in it."""
    path.write_text("not what was written here, but long enough to be looked at" * 100)


REPLACEMENTS: tuple[Callable[[Path], None], ...] = (
    remove,
    empty,
    put_directory,
    put_link_to_nothing,
    put_pipe,
    put_text,
)


def clear(path: Path) -> None:
    """Take away what one of these put there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
