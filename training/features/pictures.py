"""Find the pictures of a folder and read them ahead, on two threads; what cannot be read gets a reason."""

import os
import re
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from warnings import catch_warnings, simplefilter

from PIL import Image, UnidentifiedImageError

from training.errors import DataError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")

_FORMATS = ("BMP", "JPEG", "PNG", "WEBP")  # no other decoder of Pillow gets to see a foreign file
_THREADS = 2  # decoding hides behind the encoder; more only take cores from it
_LONGEST = 100  # times the shorter side; scaled to the encoder's size, a longer picture would not fit into memory

_UNFIT = re.compile(r"[\t\r\n\ud800-\udfff]|^\s|\s$")  # bytes that are not UTF-8 come as lone surrogates

Prepared = TypeVar("Prepared")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a picture has no features."""

    reason: str


def find_pictures(folder: Path) -> list[str]:
    """Ids of all pictures below a folder, sorted: their paths relative to it. Hidden files and folders are left out.

    Raises:
        DataError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder. Give the folder of the pictures.")
    found = []
    for directory, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        pictures = [name for name in names if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
        found += [(Path(directory) / name).relative_to(folder).as_posix() for name in pictures]
    if not found:
        raise DataError(f"{folder}: no pictures below it; looked for {', '.join(SUFFIXES)}.")
    for name in found:
        if _UNFIT.search(name) is not None:
            raise DataError(f"{folder}: the file name {name!a} cannot stand in a list of ids. Rename it.")
    return sorted(found)


def read_ahead(
    folder: Path, ids: Sequence[str], prepare: Callable[[Image.Image], Prepared], *, ahead: int
) -> Generator[Prepared | Unreadable]:
    """Each picture as `prepare` makes it, in the order of the ids, at most `ahead` of them waiting in memory."""
    waiting: deque[Future[Prepared | Unreadable]] = deque()
    with _two_threads() as pool:
        for name in ids:
            waiting.append(pool.submit(_read, folder, name, prepare))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _two_threads() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pictures")
    # Filters are the whole process's, so they are set here, around the threads, and not in them.
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # odd metadata does not make a picture worse
        simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def _read(folder: Path, name: str, prepare: Callable[[Image.Image], Prepared]) -> Prepared | Unreadable:
    path = folder / name
    if ".." in Path(name).parts or Path(name).is_absolute():
        return Unreadable("it is not below the folder of the pictures")
    try:
        if not (path.is_file() or path.is_dir()) and path.exists():
            return Unreadable("it is no file")  # a pipe would keep us waiting
        with Image.open(path, formats=_FORMATS) as image:
            if max(image.size) > _LONGEST * min(image.size):
                return Unreadable(f"its longer side is more than {_LONGEST} times the shorter")
            return prepare(image)
    except FileNotFoundError:
        return Unreadable("there is no such file")
    except UnidentifiedImageError:
        return Unreadable(f"not a picture ({', '.join(_FORMATS)})")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return Unreadable(f"more than {Image.MAX_IMAGE_PIXELS} pixels")
    except Exception as error:  # worker border: decoders raise many kinds for damaged files; the list of skipped tells
        return Unreadable(f"cannot be decoded ({' '.join(str(error).split())[:100] or type(error).__name__})")
