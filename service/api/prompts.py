"""Which prompt stands before a text: the one that is asked for by name, or the one that belongs to its role."""

from typing import Literal

from service.errors import InvalidInput
from service.model import ServedModel

Role = Literal["query", "document"]

_NAMES: dict[Role, tuple[str, ...]] = {"query": ("query",), "document": ("document", "passage", "corpus")}


def prompt_named(model: ServedModel, name: str | None) -> str:
    """The text of a prompt; with None that of the model's default prompt, or nothing where it has none.

    Raises InvalidInput, with the names there are, for a name that is none of them.
    """
    if name is None:
        return "" if model.default_prompt_name is None else model.prompts[model.default_prompt_name]
    if name not in model.prompts:
        known = ", ".join(f"`{each}`" for each in sorted(model.prompts))
        raise InvalidInput(f"This model has no prompt of that name; it has {known or 'none at all'}.")
    return model.prompts[name]


def prompt_for(model: ServedModel, role: Role) -> str:
    """What stands before a query or a document: the prompt by the first of these names, else the default prompt."""
    known = next((name for name in _NAMES[role] if name in model.prompts), None)
    return prompt_named(model, known)
