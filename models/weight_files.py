"""Files of tensors as strangers made them: nothing in them is run, and no tensor is larger than what the file holds."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from models.errors import CheckpointError
from models.manifest import read_json, require_file

SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
_INDEXES = (f"{SAFE}.index.json", f"{PICKLED}.index.json")
_ARCHIVE = b"PK\x03\x04"


def has_weights(directory: Path) -> bool:
    """Whether there is a weights file, in one part."""
    return any((directory / name).exists() for name in (SAFE, PICKLED))


def read_state(directory: Path) -> dict[str, Tensor]:
    """Every tensor of the weights file of a directory, as it is stored.

    Raises:
        CheckpointError: there is no such file, or it is damaged.
    """
    safe, pickled = directory / SAFE, directory / PICKLED
    if safe.exists():
        return read_safetensors(safe)
    if pickled.exists():
        return tensors_of(pickled, read_pickled(pickled))
    raise CheckpointError(f"{directory}: no {SAFE} or {PICKLED}. Fetch the model again.")


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a safetensors file.

    Raises:
        CheckpointError: it is damaged.
    """
    _check_safetensors(path)
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise _unreadable(path, error) from error


def read_pickled(path: Path) -> dict[str, Any]:
    """The dictionary in a file that `torch.save` wrote.

    Raises:
        CheckpointError: it is damaged, packed, or holds something else.
    """
    _check_archive(path)
    try:
        # Never without weights_only: a pickle can run any code.
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file; the caller is told which file
        raise CheckpointError(f"{path}: not a readable weights file ({type(error).__name__}).") from error
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{path}: expected a dictionary of tensors, found {type(loaded).__name__}.")
    return loaded


def tensors_of(path: Path, content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The content of a file where it is tensors by their names, each with all its numbers.

    Raises:
        CheckpointError: it is something else.
    """
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor) or not _is_whole(tensor):
            raise CheckpointError(f"{path}: not every entry is a name and a tensor with its numbers. Fetch it again.")
    return dict(content)


def check_weights(directory: Path) -> None:
    """Look at all weights of a directory before a library opens them.

    Raises:
        CheckpointError: one is damaged, packed, or somewhere else.
    """
    paths = [directory / name for name in (SAFE, PICKLED) if (directory / name).exists()]
    for index in (directory / name for name in _INDEXES):
        if index.exists():
            paths += _parts(index)
    for path in paths:
        if path.suffix == ".safetensors":
            _check_safetensors(path)
        else:
            _check_archive(path)


def _is_whole(tensor: Tensor) -> bool:
    """One number can stand for all of a tensor, and a few for a sparse one: memory is taken when it is converted."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _parts(index: Path) -> list[Path]:
    placed = read_json(index).get("weight_map")
    names = set(map(str, placed.values())) if isinstance(placed, dict) else set()
    if not names or any(Path(name).name != name for name in names):
        raise CheckpointError(f"{index}: it does not name files beside it. Fetch the model again.")
    return [index.parent / name for name in sorted(names)]


def _check_safetensors(path: Path) -> None:
    """A damaged file is named here, before transformers reports it in its own words."""
    require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def _check_archive(path: Path) -> None:
    """torch packs nothing, and so an archive is as large as what is in it."""
    require_file(path)
    try:
        with path.open("rb") as file:
            if file.read(len(_ARCHIVE)) != _ARCHIVE:
                return
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise CheckpointError(f"{path}: not a readable weights file ({type(error).__name__}).") from error
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise CheckpointError(f"{path}: it unpacks to more than it is, which no file of weights does. Do not use it.")


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    reason = " ".join(str(error).split())[:200]
    return CheckpointError(f"{path}: not a readable safetensors file ({reason}). Fetch or export the model again.")
