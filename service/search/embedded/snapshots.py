"""Snapshot files: each holds a whole collection, and beside it lies what is told of it."""

import errno
import hashlib
import json
import logging
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.files import read_small, sha256_of, write_durably
from service.errors import InvalidInput, NotFound, StorageFull, Unavailable
from service.search.points import SnapshotInfo
from service.search.store import snapshot_file

FOLDER = "snapshots"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.snapshot")
OUT_OF_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

log = logging.getLogger(__name__)


class Snapshots:
    """The snapshot files below one data directory. `write(number, path)` writes one and returns how many points."""

    def __init__(self, data_dir: Path, write: Callable[[int, Path], int]) -> None:
        self._folder = data_dir / FOLDER
        self._write = write

    def create(self, collection: str, number: int) -> SnapshotInfo:
        """Write one, as the collection is at this moment. Raises StorageFull and Unavailable."""
        now = datetime.now(UTC)
        path = self._folder / collection / f"{collection}-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}.snapshot"
        with _whole_or_not_there(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            info = _info_of(path, now, self._write(number, path))
            _tell(path, info)
        return info

    def list(self, collection: str) -> list[SnapshotInfo]:
        """Those of a collection, oldest first; one that is damaged, and of which nothing is told, is left out."""
        files = [path for path in (self._folder / collection).glob("*.snapshot") if _is_own_file(path)]
        infos = [_told_of(path) or _found_out(path) for path in files]
        return sorted(filter(None, infos), key=lambda info: (info.created_at, info.name))

    def path(self, collection: str, name: str) -> Path:
        """The file; raises NotFound, also for a name that none can have."""
        path = self._folder / collection / name
        if not NAME.fullmatch(name) or not _is_own_file(path):
            raise NotFound(
                "There is no snapshot of this name; GET /collections/{name}/snapshots lists those there are."
            )
        return path

    def delete(self, collection: str, name: str) -> None:
        """Raises NotFound."""
        path = self.path(collection, name)
        path.unlink()
        if _beside(path).is_file() or _beside(path).is_symlink():
            _beside(path).unlink()

    def require_as_written(self, file: Path) -> None:
        """Raise InvalidInput for a file of ours that is another one than was written under its name."""
        told = _told_of(file) if file.parent.parent == self._folder and file.is_file() else None
        if told and sha256_of(file) != told.sha256:
            raise InvalidInput("The snapshot is not the file that was written under its name; it is damaged.")

    def sweep(self) -> None:
        """Delete what was half written when the process was killed."""
        for left in self._folder.glob("*/.*.snapshot*"):
            left.unlink(missing_ok=True)


def _is_own_file(path: Path) -> bool:
    """A link may lead to any file of this machine, which would then be sent to whoever asks for it."""
    return path.is_file() and not path.is_symlink()


@contextmanager
def _whole_or_not_there(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        if error.errno in OUT_OF_ROOM:
            raise StorageFull("The disk has no room for this snapshot; nothing of it was kept.") from error
        raise Unavailable(f"The snapshot cannot be written at the moment ({type(error).__name__}).") from error


def _info_of(path: Path, made: datetime, count: int) -> SnapshotInfo:
    return SnapshotInfo(path.name, path.stat().st_size, made.strftime("%Y-%m-%dT%H:%M:%SZ"), sha256_of(path), count)


def _tell(path: Path, info: SnapshotInfo) -> None:
    fields = asdict(info)
    write_durably(_beside(path), json.dumps({**fields, "digest": _digest(fields)}).encode())


def _told_of(path: Path) -> SnapshotInfo | None:
    """What lies beside the file; None where that is missing, damaged, or of another file."""
    try:
        fields = json.loads(read_small(_beside(path))) if _is_own_file(_beside(path)) else {}
        digest = fields.pop("digest", None)
        info = SnapshotInfo(**fields) if digest == _digest(fields) else None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return info if info and info.name == path.name else None


def _found_out(path: Path) -> SnapshotInfo | None:
    """What is told of an intact file, once more; the time of its making is in its name."""
    try:
        with snapshot_file.opened(path) as (about, points):
            for _ in points:
                pass
        made = datetime.strptime(path.name.rsplit("-", 2)[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        info = _info_of(path, made, about.count)
        with suppress(OSError):  # then it is found out again the next time
            _tell(path, info)
    except (OSError, InvalidInput, ValueError, IndexError) as error:
        log.warning("snapshot not listed", extra={"reason": str(error), "snapshot": path.name})
        return None
    return info


def _digest(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")
