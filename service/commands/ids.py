"""Ids for records that have none: made from the file's name and the line, so that a run can be repeated."""

import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from service.importing.files import STDIN

_LONGEST = 64  # an id has at most 128 characters, and a line number up to 20


class Ids:
    """`sentences.txt:17` is the record of line 17; a prefix, where there is one, stands before it.

    Files of one name are told apart by their paths as they were given. Standard input has no name: without a prefix,
    each run of it makes ids of its own.
    """

    def __init__(self, files: Sequence[str], prefix: str | None) -> None:
        self._prefix = prefix or ""
        self._shared = len({Path(name).name for name in files}) < len(set(files))
        self._stdin = "stdin" if prefix else f"stdin-{secrets.token_hex(8)}"

    def of(self, name: str, line: int) -> str:
        """The id of the record that begins in this line of this file."""
        return f"{self._prefix}{self._called(name)}:{line}"

    def _called(self, name: str) -> str:
        if name == STDIN:
            return self._stdin
        called = name if self._shared else Path(name).name
        return called if len(called) <= _LONGEST else sha256(called.encode()).hexdigest()[:_LONGEST]
