"""Image features in files: HDF5 as the original has them, npz or safetensors."""

import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from models.files import replaced_file
from training.errors import DataError

ENDINGS = {".h5": "hdf5", ".hdf5": "hdf5", ".npz": "npz", ".safetensors": "safetensors"}

_MAGIC = {b"\x89HDF\r\n\x1a\n": "hdf5", b"PK\x03\x04": "npz"}
_DTYPES = {"float16": "F16", "float32": "F32", "float64": "F64"}  # numpy's name and safetensors'
_ROWS = 4_096  # looked through at a time
_TEXTS, _LONGEST_ID = 16, 4_096
_HEADERS: dict[tuple[int, int], Callable[..., Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_MOST_PACKED = 100  # times smaller than what is in it; features of pictures shrink by a tenth

# What the three libraries raise for files that are damaged or hold something else.
_DAMAGED = (
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    SafetensorError,
    zipfile.BadZipFile,
    zlib.error,
)

Content = tuple[list[str] | None, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Features:
    """Features of images, row by row."""

    ids: list[str] | None
    """Of the images; None where the file has none, as the original's"""
    values: NDArray[Any]
    """(images, width) float16, float32 or float64, as they are stored"""


def read_features(path: Path) -> Features:
    """Read the array `features` (n, width) and, where they are there, the ids `image_ids` (n,).

    `.h5` and `.hdf5` hold them as data sets, `.npz` as arrays, `.safetensors` as a tensor and, in the metadata, a JSON
    list. The content decides where it can be told, then the ending. No pickle is ever loaded.

    Raises:
        DataError: the file is missing, damaged or of another form, counts differ, or a value is not finite.
    """
    readers: dict[str, Callable[[Path], Content]] = {
        "hdf5": _read_hdf5,
        "npz": _read_npz,
        "safetensors": _read_safetensors,
    }
    kind = _kind(path)
    try:
        ids, values = readers[kind](path)
    except _DAMAGED as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path}: cannot be read as {kind} with features and, if any, image_ids ({reason}). Make it again."
        ) from error
    _check_shape(path, ids, values)
    _check_finite(path, ids, values)
    return Features(ids, values.astype(values.dtype.newbyteorder("="), copy=False))


def write_features(path: Path, ids: Sequence[str], values: NDArray[Any]) -> None:
    """Write what `read_features` reads; the file appears whole or not at all.

    Args:
        path: its ending decides the format.
        ids: of the images.
        values: (images, width) float16, float32 or float64; for npz and safetensors it may be larger than memory.

    Raises:
        DataError: the ending is another one, or counts or dtype do not fit.
    """
    writers: dict[str, Callable[[BinaryIO, list[str], NDArray[Any]], None]] = {
        "hdf5": _write_hdf5,
        "npz": _write_npz,
        "safetensors": _write_safetensors,
    }
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"{path}: its ending is none of {', '.join(ENDINGS)}, which decide the format.")
    _check_shape(path, list(ids), values)
    with replaced_file(path) as file:
        writers[kind](file, list(ids), values)


def _kind(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file. Is MCSE_DATA the folder of your data?") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Give a file that can be read.") from error
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    try:
        return ENDINGS[path.suffix.lower()]
    except KeyError as error:
        raise DataError(f"{path}: not a file of features. Expected one that ends in {', '.join(ENDINGS)}.") from error


def _read_hdf5(path: Path) -> Content:
    with h5py.File(path) as file:
        values = np.asarray(_held(file, "features")[:])
        return (_texts_of(_held(file, "image_ids")) if "image_ids" in file else None), values


def _texts_of(found: Any) -> list[str]:
    """Some at a time: any number of them may be the same place in the file."""
    ids: list[str] = []
    texts = found.asstr("utf-8")
    for start in range(0, len(found), _TEXTS):
        ids.extend(texts[start : start + _TEXTS])
        if any(len(name) > _LONGEST_ID for name in ids[start:]):
            raise ValueError(f"an id is longer than {_LONGEST_ID} characters")
    return _texts(ids)


def _held(file: h5py.File, name: str) -> Any:
    """A data set that is in this file, with its numbers: others are somewhere else, or as large as anybody likes."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link to somewhere else")
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        raise ValueError(f"{name} is no data set of this file")
    _require_held(name, found.nbytes, found.id.get_storage_size())
    return found


def _read_npz(path: Path) -> Content:
    with path.open("rb") as opened:
        with zipfile.ZipFile(opened) as archive:
            for entry in archive.infolist():
                _require_held(entry.filename, entry.file_size, entry.compress_size)
                _require_whole(archive, entry)
        opened.seek(0)
        with np.load(opened, allow_pickle=False) as file:
            values = file["features"]
            return (_texts(file["image_ids"]) if "image_ids" in file else None), values


def _require_whole(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Refuse an array that is shorter than its shape, for which numpy would make room first."""
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{entry.filename} has the version {version}")
        shape, _, dtype = _HEADERS[version](file)
    if math.prod(shape) * dtype.itemsize > entry.file_size:
        raise ValueError(f"{entry.filename} is shorter than its shape {shape}")


def _require_held(name: str, unpacked: int, packed: int) -> None:
    """Refuse what would be far larger in memory than it is in the file."""
    if unpacked > _MOST_PACKED * max(packed, _ROWS):
        raise ValueError(f"{name} unpacks from {packed} to {unpacked} bytes")


def _read_safetensors(path: Path) -> Content:
    with safe_open(path, framework="np") as file:
        values = file.get_tensor("features")
        listed = (file.metadata() or {}).get("image_ids")
    return (_texts(json.loads(listed)) if listed is not None else None), values


def _texts(ids: NDArray[Any] | list[Any]) -> list[str]:
    if isinstance(ids, np.ndarray):
        ids = np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids
        if ids.dtype.kind != "U" or ids.ndim != 1:
            raise ValueError(f"image_ids is an array of {ids.dtype} with shape {ids.shape} instead of a list of text")
    elif not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise ValueError("image_ids is no list of text")
    return [str(name) for name in ids]


def _check_shape(path: Path, ids: list[str] | None, values: NDArray[Any]) -> None:
    if values.dtype.name not in _DTYPES:
        raise DataError(f"{path}: the features are {values.dtype}. Expected {', '.join(_DTYPES)}.")
    if values.ndim != 2 or values.size == 0:
        raise DataError(f"{path}: the features have the shape {values.shape}. Expected (images, width).")
    if ids is None:
        return
    if len(ids) != len(values):
        raise DataError(f"{path}: {len(ids)} image ids do not match features of shape {values.shape}. Make them again.")
    row_of: dict[str, int] = {}
    for row, name in enumerate(ids):
        before = row_of.setdefault(name, row)
        if before != row:
            raise DataError(f"{path}, row {row}: the image {name} is listed twice, first in row {before}. Remove one.")


def _check_finite(path: Path, ids: list[str] | None, values: NDArray[Any]) -> None:
    for start in range(0, len(values), _ROWS):
        finite = np.isfinite(values[start : start + _ROWS]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            whose = f" of {ids[row]}" if ids is not None else ""
            raise DataError(f"{path}, row {row}: the features{whose} hold NaN or infinity. Make them again.")


def _write_hdf5(file: BinaryIO, ids: list[str], values: NDArray[Any]) -> None:
    made = io.BytesIO()  # HDF5 is read while it is written, which the file is not open for
    with h5py.File(made, "w") as content:
        content.create_dataset("features", data=values)
        content.create_dataset("image_ids", data=ids, dtype=h5py.string_dtype())
    file.write(made.getbuffer())


def _write_npz(file: BinaryIO, ids: list[str], values: NDArray[Any]) -> None:
    np.savez(file, image_ids=np.array(ids), features=values)


def _write_safetensors(file: BinaryIO, ids: list[str], values: NDArray[Any]) -> None:
    """The format's own few lines, because its library wants all bytes in memory, twice."""
    tensor = {"dtype": _DTYPES[values.dtype.name], "shape": values.shape, "data_offsets": [0, values.nbytes]}
    header = json.dumps({"__metadata__": {"image_ids": json.dumps(ids)}, "features": tensor}).encode()
    header += b" " * (-len(header) % 8)
    file.write(struct.pack("<Q", len(header)) + header)
    for start in range(0, len(values), _ROWS):
        file.write(np.ascontiguousarray(values[start : start + _ROWS].astype(values.dtype.newbyteorder("<"))).data)
