"""Something between a client and a server that breaks what passes through it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

Wrong: TypeAlias = Literal["busy", "down", "gone", "cut", "lost"]
"""`busy` answers 429, `down` 503, `gone` 404; `cut` does not pass the request on; `lost` does, and drops the answer."""

_ANSWERS: dict[Wrong | None, int] = {"busy": 429, "down": 503, "gone": 404}

Trouble: TypeAlias = Callable[[str, str], Wrong | None]
"""Told the method and the path of a request, says what goes wrong with it."""


@contextmanager
def proxy(url: str, trouble: Trouble) -> Iterator[str]:
    """The address to call in place of `url`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        server.__dict__.update(behind=urlsplit(url).netloc, trouble=trouble)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        facts = vars(self.server)
        wrong: Wrong | None = facts["trouble"](self.command, self.path)
        if wrong in _ANSWERS:
            self._answer(_ANSWERS[wrong], f'{{"error": "{wrong}"}}'.encode(), {"retry-after": "0"})
            return
        if wrong != "cut":
            status, answer = self._ask(facts["behind"], body)
            if wrong is None:
                self._answer(status, answer, {})
                return
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815 - the names that the base class looks for

    def _ask(self, behind: str, body: bytes) -> tuple[int, bytes]:
        with closing(HTTPConnection(behind)) as connection:
            headers = {"content-type": "application/json"} if body else {}
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read()

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing to say."""
