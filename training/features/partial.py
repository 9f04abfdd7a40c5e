"""What a stopped extraction keeps: finished chunks beside the output, each written whole, under one key of settings."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from models.files import replaced_file, sync_directory
from training.errors import DataError

_DAMAGED = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)


class Partial:
    """The folder `OUTPUT.partial/KEY`. Chunks of other keys stay beside it until one of them is done."""

    def __init__(self, output: Path, key: str) -> None:
        self.folder = output.with_name(f"{output.name}.partial")
        self._chunks = self.folder / key[:16]

    def exists(self) -> bool:
        """Whether an extraction with these settings was begun."""
        return self._chunks.is_dir()

    def begin(self) -> None:
        """Make the folder, durably."""
        self._chunks.mkdir(parents=True, exist_ok=True)
        for folder in (self._chunks, self.folder, self.folder.parent):
            sync_directory(folder)

    def missing(self, count: int) -> list[int]:
        """Numbers of the chunks out of `count` that are still to be made."""
        return [number for number in range(count) if not self._path(number).exists()]

    def write(self, number: int, features: NDArray[np.float32], reasons: list[str]) -> None:
        """Keep a chunk.

        Args:
            number: from 0.
            features: (read, width)
            reasons: why not, for each picture of the chunk; empty for those that were read.
        """
        with replaced_file(self._path(number)) as file:
            np.savez(file, features=features, reasons=np.array(json.dumps(reasons)))

    def reasons(self, count: int) -> Iterator[list[str]]:
        """The reasons of each chunk, in order.

        Raises:
            DataError: a chunk cannot be read.
        """
        return (json.loads(str(array)) for array in self._read(count, "reasons"))

    def features(self, count: int) -> Iterator[NDArray[np.float32]]:
        """The features of each chunk, in order.

        Raises:
            DataError: a chunk cannot be read.
        """
        return self._read(count, "features")

    def scratch(self, shape: tuple[int, int], dtype: str) -> NDArray[np.generic]:
        """An array on disk to gather features in, which may be more than fit into memory."""
        array: NDArray[np.generic] = open_memmap(self._chunks / "all.npy", mode="w+", dtype=dtype, shape=shape)
        return array

    def remove(self) -> None:
        """Delete all chunks: the output is there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, count: int, name: str) -> Iterator[NDArray[Any]]:
        for path in map(self._path, range(count)):
            try:
                with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                    yield file[name]
            except _DAMAGED as error:
                raise DataError(f"{path}: cannot be read. Delete it and run the command again.") from error

    def _path(self, number: int) -> Path:
        return self._chunks / f"{number:06}.npz"
