"""Which prompt stands before a text: the one that is asked for by name, or the one that belongs to its role."""

from models.errors import OptionError
from models.prompts import Prompts, Role
from service.errors import InvalidInput
from service.model import ServedModel


def prompt_named(model: ServedModel, name: str | None) -> str:
    """The text of a prompt; with None that of the model's default prompt, or nothing where it has none.

    Raises InvalidInput, with the names there are, for a name that is none of them.
    """
    if name is None and model.default_prompt_name is None:
        return ""
    try:
        return _prompts(model).text_of(name)
    except OptionError as error:
        raise InvalidInput(str(error)) from None


def prompt_for(model: ServedModel, role: Role) -> str:
    """What stands before a query or a document: the prompt by the first of these names, else the default prompt."""
    return _prompts(model).text_for(role)


def _prompts(model: ServedModel) -> Prompts:
    return Prompts(model.prompts, model.default_prompt_name)
