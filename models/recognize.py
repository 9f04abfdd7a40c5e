"""Say what a model directory is and which pooling belongs to it, and why.

A wrong pooling is the most common silent error of this field: nothing fails, the vectors are only worse. So the
reason is kept beside the choice and shown by `mcse verify`, the log and `/info`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from models.config import POOLINGS, Kind, Pooling
from models.errors import CheckpointError
from models.manifest import CARD, CURE, read_card, read_json, verify_manifest

_MCSE_NAME = re.compile(r"(?<!si)mcse")  # "simcse" ends in it too
_SUPERVISED_NAME = re.compile(r"(?<!un)sup-simcse")
_NO_LIMIT = 1_000_000  # tokenizers without a limit state a huge number


@dataclass(frozen=True, slots=True)
class Recognized:
    """A directory's kind and how its vectors are read out."""

    kind: Kind
    pooling: Pooling
    reason: str
    max_tokens: int | None
    """The token limit the directory states; None where only the backbone limits it."""
    dense: Path | None = None
    """The folder of an MLP head that sentence-transformers keeps apart."""


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
    if pooling not in POOLINGS or type(limit) is not int or limit < 1:
        raise CheckpointError(f"{directory / CARD}: pooling or max_tokens is missing or wrong. {CURE}")
    return Recognized("bundle", pooling, f"{CARD} says so", limit)


def _sentence_transformers(directory: Path) -> Recognized:
    from models.sbert_reader import read_modules  # brings torch, which a bundle can be served without

    modules = read_modules(directory)
    limit = _stated_limit(directory)
    return Recognized("sentence-transformers", modules.pooling, modules.reason, limit, modules.dense)


def _stated_limit(directory: Path) -> int | None:
    """The token limit: its own file's, or since sentence-transformers 6 the tokenizer's."""
    places = {"sentence_bert_config.json": "max_seq_length", "tokenizer_config.json": "model_max_length"}
    for file, key in places.items():
        if (directory / file).exists():
            limit = read_json(directory / file).get(key)
            if isinstance(limit, int) and 0 < limit < _NO_LIMIT:
                return limit
    return None


def _hugging_face(directory: Path, name: str) -> Recognized:
    """Weights and a config only: trained with MCSE or SimCSE, or some encoder that says nothing about pooling."""
    config = read_json(directory / "config.json")
    architectures = " ".join(map(str, config.get("architectures") or []))
    names = f"{name} {config.get('_name_or_path', '')}".lower()
    if (directory / "mcse.pt").exists() or _MCSE_NAME.search(names):
        reason = "an MCSE checkpoint (mcse.pt or its name), which evaluates the raw first token"
        return Recognized("mcse", "cls", reason, _stated_limit(directory))
    if _SUPERVISED_NAME.search(names):
        reason = "a supervised SimCSE checkpoint (its name), which evaluates the first token through the MLP head"
        return Recognized("simcse", "cls_mlp", reason, _stated_limit(directory))
    if architectures.endswith("ForCL") or "simcse" in names:
        reason = "a SimCSE checkpoint (its architecture or name), which evaluates the raw first token"
        return Recognized("simcse", "cls", reason, _stated_limit(directory))
    reason = (
        "no file says which pooling it was trained with; took cls, as MCSE and SimCSE do. "
        "If it was trained with mean pooling, say so with --pooling mean or MCSE_POOLING=mean"
    )
    return Recognized("encoder", "cls", reason, _stated_limit(directory))
