"""Say what a model directory is and which pooling belongs to it, and why.

A wrong pooling is the most common silent error of this field: nothing fails, the vectors are only worse. So the
reason is kept beside the choice and shown by `mcse verify`, the log and `/info`.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.bundle import CARD, CURE, read_card, read_json, verify_manifest
from models.checkpoint import Kind
from models.config import POOLINGS, Pooling
from models.errors import CheckpointError

_MCSE_NAME = re.compile(r"(?<!si)mcse")  # "simcse" ends in it too
_NO_LIMIT = 1_000_000  # tokenizers without a limit state a huge number
_LEGACY_MODES: dict[str, Pooling] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
}


@dataclass(frozen=True, slots=True)
class Recognized:
    """A directory's kind and how its vectors are read out."""

    kind: Kind
    pooling: Pooling
    reason: str
    max_tokens: int | None
    """The token limit the directory states; None where only the backbone limits it."""


def recognize(directory: Path, name: str) -> Recognized:
    """Look at the files of a model directory, and at the name it was asked for by.

    Raises:
        CheckpointError: it is no model, or asks for a pooling this project does not compute.
    """
    if (directory / CARD).exists():
        return _bundle(directory)
    if (directory / "modules.json").exists():
        return _sentence_transformers(directory)
    if not (directory / "config.json").exists():
        raise CheckpointError(
            f"{directory}: no mcse.json, modules.json or config.json in it, so this is not a model directory. "
            "Give the directory that `mcse train` wrote, or a Hugging Face model's."
        )
    return _hugging_face(directory, name)


def _bundle(directory: Path) -> Recognized:
    verify_manifest(directory)
    card = read_card(directory)
    pooling, limit = card.get("pooling"), card.get("max_tokens")
    if pooling not in POOLINGS or not isinstance(limit, int):
        raise CheckpointError(f"{directory / CARD}: pooling or max_tokens is missing or wrong. {CURE}")
    return Recognized("bundle", pooling, f"{CARD} says so", limit)


def _sentence_transformers(directory: Path) -> Recognized:
    modules = _read_modules(directory)
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules]
    unknown = [kind for kind in kinds if kind not in {"Transformer", "Pooling", "Normalize"}]
    if unknown or "Pooling" not in kinds:
        what = f"the module {unknown[0]}" if unknown else "no Pooling module"
        raise CheckpointError(
            f"{directory / 'modules.json'}: it has {what}; this project opens Transformer, Pooling and Normalize."
        )
    path = str(modules[kinds.index("Pooling")].get("path", "1_Pooling"))
    pooling = _pooling_of(directory / path / "config.json")
    return Recognized("sentence-transformers", pooling, f"{path}/config.json says so", _stated_limit(directory))


def _stated_limit(directory: Path) -> int | None:
    """The token limit: its own file's, or since sentence-transformers 6 the tokenizer's."""
    places = {"sentence_bert_config.json": "max_seq_length", "tokenizer_config.json": "model_max_length"}
    for file, key in places.items():
        if (directory / file).exists():
            limit = read_json(directory / file).get(key)
            if isinstance(limit, int) and 0 < limit < _NO_LIMIT:
                return limit
    return None


def _read_modules(directory: Path) -> list[dict[str, Any]]:
    path = directory / "modules.json"
    try:
        modules = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not readable as JSON. Fetch the model again.") from error
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise CheckpointError(f"{path}: expected a list of modules. Fetch the model again.")
    return modules


def _pooling_of(path: Path) -> Pooling:
    settings = read_json(path)
    chosen = settings.get("pooling_mode")  # the schema since sentence-transformers 5.4
    if chosen is None:  # the schema before: one boolean per mode
        chosen = [
            _LEGACY_MODES.get(key, key) for key, value in settings.items() if key.startswith("pooling_mode_") and value
        ]
    modes = [chosen] if isinstance(chosen, str) else list(chosen)
    for pooling in POOLINGS:
        if modes == [pooling]:
            return pooling
    raise CheckpointError(
        f"{path}: its pooling is {' and '.join(map(str, modes)) or 'not given'}; this project computes cls or mean."
    )


def _hugging_face(directory: Path, name: str) -> Recognized:
    """Weights and a config only: trained with MCSE or SimCSE, or some encoder that says nothing about pooling."""
    config = read_json(directory / "config.json")
    architectures = " ".join(map(str, config.get("architectures") or []))
    names = f"{name} {config.get('_name_or_path', '')}".lower()
    if (directory / "mcse.pt").exists() or _MCSE_NAME.search(names):
        reason = "an MCSE checkpoint (mcse.pt or its name), which evaluates the raw first token"
        return Recognized("mcse", "cls", reason, _stated_limit(directory))
    if architectures.endswith("ForCL") or "simcse" in names:
        reason = "a SimCSE checkpoint (its architecture or name), which evaluates the raw first token"
        return Recognized("simcse", "cls", reason, _stated_limit(directory))
    reason = (
        "no file says which pooling it was trained with; took cls, as MCSE and SimCSE do. "
        "If it was trained with mean pooling, say so with --pooling mean or MCSE_POOLING=mean"
    )
    return Recognized("encoder", "cls", reason, _stated_limit(directory))
