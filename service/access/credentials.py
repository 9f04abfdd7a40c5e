"""The API key in the headers of a request, by the names that different clients give it."""

from collections.abc import Iterable

from service.access.keys import Key, Keys
from service.errors import Unauthorized

_KEY_HEADERS = frozenset({b"x-api-key", b"api-key"})


def key_of(headers: Iterable[tuple[bytes, bytes]], keys: Keys) -> Key:
    """The key that was sent, as `Authorization: Bearer KEY`, `Authorization: KEY`, `x-api-key: KEY` or `api-key: KEY`.

    Raises Unauthorized where there is none, more than one, or one that is not known.
    """
    sent = {value for name, raw in headers if (value := _sent_in(name, raw))}
    if not sent:
        raise Unauthorized("This service asks for an API key; send it as `authorization: Bearer KEY`.")
    if len(sent) > 1:
        raise Unauthorized("Different API keys were sent; send one.")
    found = keys.find(sent.pop())
    if found is None:
        raise Unauthorized("The API key is not known to this service.")
    return found


def _sent_in(name: bytes, value: bytes) -> bytes:
    """The key in one header; nothing where there is none."""
    if name in _KEY_HEADERS:
        return value.strip()
    if name != b"authorization":
        return b""
    scheme, _, rest = value.strip().partition(b" ")
    return rest.strip() if scheme.lower() == b"bearer" else value.strip()
