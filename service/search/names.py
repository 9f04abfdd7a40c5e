"""What collections and aliases may be called, and choices among a few words."""

import re
from collections.abc import Collection

from service.errors import InvalidInput

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_name(name: str) -> None:
    """Raise InvalidInput for a name that neither a collection nor an alias can have."""
    if not NAME.fullmatch(name):
        raise InvalidInput(
            "The collection's name breaks the rule: 1 to 128 of A-Z a-z 0-9 . _ - with a letter or digit first."
        )


def check_choice(what: str, value: str, choices: Collection[str]) -> None:
    """Raise InvalidInput, with the choices there are, for any other."""
    if value not in choices:
        raise InvalidInput(f"There is no such {what}; expected one of: {', '.join(choices)}.")
