"""Find the directory behind a model's name: a path, an installed package, or a model of the hub."""

import importlib.util
from pathlib import Path

from models.errors import CheckpointError

_NEEDED = ["*.json", "*.txt", "*.model", "*.safetensors", "pytorch_model.bin", "mcse.pt"]


def resolve(name: str | Path) -> Path:
    """The local directory of a model.

    Args:
        name: a directory; `package:NAME` for a Python package that carries a model; or a hub id `owner/model`,
            which is fetched unless `HF_HUB_OFFLINE=1` or it is in the cache.

    Raises:
        CheckpointError: nothing is there; the message says what was tried.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return path.resolve()
    text = str(name)
    if text.startswith("package:"):
        return _in_package(text.removeprefix("package:"))
    if text.count("/") == 1 and not text.startswith((".", "/", "~")):
        return _from_hub(text)
    raise CheckpointError(
        f"{text}: there is no such directory. Give a model directory, package:NAME, or a hub id like owner/model."
    )


def _in_package(package: str) -> Path:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    roots = list(spec.submodule_search_locations or []) if spec is not None else []
    for root in map(Path, roots):
        for directory in (root, root / "model"):
            if (directory / "config.json").exists():
                return directory
    found = "holds no model" if roots else "is not installed"
    raise CheckpointError(f"package:{package}: the Python package {package} {found}. Install it with pip first.")


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=_NEEDED))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        raise CheckpointError(
            f"{name}: no such directory here, and the hub did not give it ({type(error).__name__}). "
            "Offline, put the model into a directory and name that."
        ) from error
