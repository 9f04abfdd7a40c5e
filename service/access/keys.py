"""API keys: how they are written, and how one that was sent is looked up."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

# The variables in which the commands that call a service find the key to send.
SENT_KEY = "MCSE_API_KEY"
SENT_KEY_OF_SOURCE = "MCSE_SOURCE_API_KEY"

Role = Literal["read", "write", "admin"]

LEAST_CHARS = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SECRET = re.compile(r"[!-+\--~]+")  # what a header and a comma-separated list can both hold


@dataclass(frozen=True, slots=True)
class Key:
    """One key; what is kept of the key itself is its SHA-256."""

    role: Role
    name: str
    """Whose it is. Two keys of one name are one caller, so that a key can be changed without a gap."""
    digest: bytes = field(repr=False)


def is_sendable(secret: str) -> bool:
    """Whether it can be a key, as far as a header is concerned."""
    return _SECRET.fullmatch(secret) is not None


class Keys:
    """All keys that are valid now."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)

    def find(self, sent: bytes) -> Key | None:
        """The key that was sent. How long it takes does not depend on which bytes of which key are right."""
        digest = hashlib.sha256(sent).digest()
        found = None
        for key in self._keys:  # all of them
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def names(self) -> list[str]:
        """Role and name of each, to be shown to the operator."""
        return [f"{key.role}:{key.name}" for key in self._keys]


def keys_in_list(text: str) -> list[Key]:
    """The keys of a comma-separated list; raises ValueError, which names the entry by its number."""
    return _unique([_read(entry.strip(), f"entry {n}") for n, entry in enumerate(text.split(","), 1)])


def keys_in_lines(text: str) -> list[Key]:
    """The keys of a file: one a line; empty lines and those that begin with # are none. Raises ValueError."""
    lines = enumerate((line.strip() for line in text.splitlines()), 1)
    return _unique([_read(line, f"line {n}") for n, line in lines if line and not line.startswith("#")])


def _read(entry: str, where: str) -> Key:
    """What is wrong is told without the entry, which may be a key."""
    role, _, rest = entry.partition(":")
    name, _, secret = rest.partition(":")
    found = [known for known in get_args(Role) if known == role]
    if not found or not _NAME.fullmatch(name):
        raise ValueError(f"{where} is not ROLE:NAME:KEY with one of the roles {', '.join(get_args(Role))}")
    if len(secret) < LEAST_CHARS or not _SECRET.fullmatch(secret):
        raise ValueError(f"{where} has a key that is not {LEAST_CHARS} or more ASCII characters without space or comma")
    return Key(found[0], name, hashlib.sha256(secret.encode()).digest())


def _unique(keys: Sequence[Key]) -> list[Key]:
    if len({key.digest for key in keys}) < len(keys):
        raise ValueError("the same key is there twice")
    return list(keys)
