"""Snapshot files: each holds a whole collection, and beside it lies what is told of it."""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from models.files import sha256_of, write_durably
from service.errors import NotFound
from service.search.points import SnapshotInfo

FOLDER = "snapshots"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.snapshot")


class Snapshots:
    """The snapshot files below one data directory. `write(number, path)` writes one and returns how many points."""

    def __init__(self, data_dir: Path, write: Callable[[int, Path], int]) -> None:
        self._folder = data_dir / FOLDER
        self._write = write

    def create(self, collection: str, number: int) -> SnapshotInfo:
        """Write one, as the collection is at this moment."""
        folder = self._folder / collection
        folder.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC)
        path = folder / f"{collection}-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}.snapshot"
        count = self._write(number, path)
        created = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        info = SnapshotInfo(path.name, path.stat().st_size, created, sha256_of(path), count)
        write_durably(_told(path), json.dumps(asdict(info)).encode())
        return info

    def list(self, collection: str) -> list[SnapshotInfo]:
        """Those of a collection, oldest first."""
        files = (self._folder / collection).glob("*.snapshot.json")
        infos = [SnapshotInfo(**json.loads(file.read_bytes())) for file in files]
        return sorted(infos, key=lambda info: (info.created_at, info.name))

    def path(self, collection: str, name: str) -> Path:
        """The file; raises NotFound, also for a name that none can have."""
        path = self._folder / collection / name
        if not NAME.fullmatch(name) or not path.is_file():
            raise NotFound(
                "There is no snapshot of this name; GET /collections/{name}/snapshots lists those there are."
            )
        return path

    def delete(self, collection: str, name: str) -> None:
        """Raises NotFound."""
        path = self.path(collection, name)
        _told(path).unlink(missing_ok=True)
        path.unlink()


def _told(path: Path) -> Path:
    return path.with_name(path.name + ".json")
