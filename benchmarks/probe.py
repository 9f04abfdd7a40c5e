"""Ask a health route again and again over one connection, and keep how long each answer took.

Such an answer needs nothing but the event loop, so the longest wait bounds the loop's longest gap from above: it also
holds the probe's own wait for a core.
"""

import socket
import time
from threading import Event

_REQUEST = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
_PAUSE_S = 0.005


def probe(port: int, waited: list[float], done: Event) -> None:
    """Append the seconds of each answer until `done` is set; at least one.

    Raises:
        RuntimeError: an answer was not 200, or the server hung up.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=60) as caller:
        while not waited or not done.is_set():
            started = time.perf_counter()
            caller.sendall(_REQUEST)
            _read(caller)
            waited.append(time.perf_counter() - started)
            time.sleep(_PAUSE_S)


def _read(caller: socket.socket) -> None:
    answer = b""
    while b"\r\n\r\n" not in answer:
        received = caller.recv(65_536)
        if not received:
            raise RuntimeError("the server hung up")
        answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise RuntimeError(head.split(b"\r\n", 1)[0].decode("latin-1"))
    missing = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]) - len(body)
    while missing > 0:
        missing -= len(caller.recv(65_536))
