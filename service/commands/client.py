"""A client of a running service: one connection that is kept, and patience with a service that is busy."""

import http.client
import os
import random
import threading
import time
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import orjson

from service import __version__
from service.access.keys import SENT_KEY, is_sendable
from service.commands.errors import CommandError, Refused, Unreachable

PATIENCE_S = 120.0  # without any answer that is one; a restart of a service with many points takes some time
TIMEOUT_S = 120.0  # longer than a service takes until it gives an answer up
_BUSY = frozenset({429, 502, 503, 504})
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 10.0


class _Reply(NamedTuple):
    status: int
    retry_after: str
    body: bytes


class Client:
    """Asks the service at `url`. It belongs to one thread, but for `stop`, which any thread may call.

    A request that meets a busy service or a broken connection is sent again, for `patience` seconds at most; so it
    must do the same when it is carried out twice.

    It sends the API key of the environment variable `key_in`, or else of MCSE_API_KEY. There is no flag for a key,
    because everybody on a machine can see the flags of a process.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE_S, key_in: str = SENT_KEY) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CommandError(f"{url!r} is no address of a service; expected such as http://127.0.0.1:8080.")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        try:
            self._connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)
        except ValueError as error:
            raise CommandError(f"{url!r} is no address of a service ({error}).") from None
        self._headers = {"accept": "application/json", "user-agent": f"mcse/{__version__}", **_authorization(key_in)}
        self.url = url.rstrip("/")
        self._base = parts.path.rstrip("/")
        self._patience = patience
        self._stopped = threading.Event()

    def call(self, method: str, path: str, body: bytes | dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer; `path` is escaped already. Raises Refused, and Unreachable once patience is at its end."""
        content = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        give_up = time.monotonic() + self._patience
        wait = _FIRST_WAIT_S
        while True:
            try:
                reply = self._ask(method, path, content)
            except (OSError, http.client.HTTPException) as error:
                reason, asked_for = str(error) or type(error).__name__, 0.0
            else:
                if reply.status not in _BUSY:
                    return self._understood(reply)
                reason, asked_for = _busy(reply), _seconds(reply.retry_after)
            pause = max(asked_for, wait * random.uniform(0.5, 1))  # noqa: S311 - so that clients do not come at once
            if time.monotonic() + pause > give_up or self._stopped.wait(pause):
                raise Unreachable(f"{self.url} does not answer ({reason}). Is the service running, with this address?")
            wait = min(wait * 2, _LONGEST_WAIT_S)

    def stop(self) -> None:
        """Do not try again; for good."""
        self._stopped.set()

    def close(self) -> None:
        """End the connection; the next call makes another one."""
        self._connection.close()

    def _ask(self, method: str, path: str, content: bytes | None) -> _Reply:
        headers = self._headers if content is None else {**self._headers, "content-type": "application/json"}
        try:
            self._connection.request(method, self._base + path, content, headers)
            response = self._connection.getresponse()
            return _Reply(response.status, response.getheader("retry-after", ""), response.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def _understood(self, reply: _Reply) -> dict[str, Any]:
        answer = _json(reply)
        if answer is None:
            raise CommandError(f"{self.url} answers {reply.status} without JSON: it is no service of this kind.")
        if reply.status >= http.HTTPStatus.BAD_REQUEST:
            cure = f" Set it in {SENT_KEY}." if reply.status == http.HTTPStatus.UNAUTHORIZED else ""
            raise Refused(reply.status, str(answer.get("error", "it gives no reason")) + cure)
        return answer


def collection_path(name: str, rest: str = "") -> str:
    """The path of a collection's route."""
    return f"/collections/{quote(name, safe='')}{rest}"


def _authorization(variable: str) -> dict[str, str]:
    """Raises CommandError for what no key can be; a header would be refused with the key in the message."""
    for name in (variable, SENT_KEY):
        key = os.environ.get(name, "").strip()
        if key and not is_sendable(key):
            raise CommandError(f"{name} is no API key: it holds spaces, commas or characters beyond ASCII.")
        if key:
            return {"authorization": f"Bearer {key}"}
    return {}


def _json(reply: _Reply) -> dict[str, Any] | None:
    try:
        answer = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


def _busy(reply: _Reply) -> str:
    told = (_json(reply) or {}).get("error", "")
    return f"{reply.status}: {told}" if told else f"{reply.status}"


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else 0.0
