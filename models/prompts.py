"""The prompts of a checkpoint: what it was trained to see before a query, a document or any other kind of text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from models.errors import CheckpointError, OptionError
from models.manifest import CURE, read_json

FILE = "config_sentence_transformers.json"
MOST_CHARS = 4096  # of a prompt, which is put before every text

Role = Literal["query", "document"]

_NAMES: Mapping[Role, tuple[str, ...]] = {"query": ("query",), "document": ("document", "passage", "corpus")}


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

    def text_of(self, name: str | None) -> str:
        """The text of a prompt; with None that of the default prompt, or nothing where there is none.

        Raises:
            OptionError: there is no prompt of that name; the message has the names there are.
        """
        if name is None:
            return "" if self.default is None else self.named[self.default]
        if name not in self.named:
            known = ", ".join(f"`{each}`" for each in sorted(self.named))
            raise OptionError(f"This model has no prompt of that name; it has {known or 'none at all'}.")
        return self.named[name]

    def text_for(self, role: Role) -> str:
        """What stands before a query or a document: the prompt by the first of these names, else the default prompt."""
        return self.text_of(next((name for name in _NAMES[role] if name in self.named), None))


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
    if any(len(text or "") > MOST_CHARS for text in named.values()):
        raise CheckpointError(f"{path}: one of its prompts has more than {MOST_CHARS} characters. {CURE}")
    if default is not None and default not in list(named):
        raise CheckpointError(f"{path}: its default_prompt_name is none of its prompts. Name one of them, or set null.")
    return Prompts({name: text or "" for name, text in named.items()}, default)
