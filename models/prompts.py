"""The prompts of a checkpoint: what it was trained to see before a query, a document or any other kind of text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import CheckpointError
from models.manifest import CURE, read_json

FILE = "config_sentence_transformers.json"


@dataclass(frozen=True, slots=True)
class Prompts:
    """What stands before a text.

    They are no part of a fingerprint: a prompt is text, so with it a text has the vector of the longer text, and stays
    comparable with every vector of the same weights.
    """

    named: Mapping[str, str] = field(default_factory=dict)
    """The text of each prompt by its name, such as `query` and `document`; may be empty"""
    default: str | None = None
    """The name of the prompt that stands before a text for which none is named; None for no prompt"""


def read_prompts(directory: Path) -> Prompts:
    """The prompts in sentence-transformers' own settings; none where a directory has no such file.

    Raises:
        CheckpointError: the file is damaged, or its prompts are not texts by their names.
    """
    path = directory / FILE
    if not path.exists():
        return Prompts()
    settings = read_json(path)
    named, default = settings.get("prompts") or {}, settings.get("default_prompt_name")
    if not isinstance(named, dict) or not all(isinstance(text, str | None) for text in named.values()):
        raise CheckpointError(f"{path}: its prompts are not an object of names and texts. {CURE}")
    if default is not None and default not in named:
        raise CheckpointError(f"{path}: its default_prompt_name is none of its prompts. Name one of them, or set null.")
    return Prompts({name: text or "" for name, text in named.items()}, default)
