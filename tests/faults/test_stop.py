"""SIGTERM at bad moments: what was accepted is answered, and the process ends soon with 0 or 143.

TEST_STOPS sets how many stops under load there are; their moments are drawn from TEST_SEED.
"""

import http.client
import random
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.faults.knobs import SEED, number, tell
from tests.faults.stub_server import StubServer, stub_server

STOPS = number("TEST_STOPS", 3)
CALLERS = 8
END_WITHIN_S = 20
ENDS = (0, 143, -signal.SIGTERM)


def call_until_refused(port: int, statuses: list[int], lost: list[str]) -> None:
    """One connection after the other; a request of which all was taken and no answer came is lost."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=END_WITHIN_S)
        try:
            connection.connect()
            connection.request(
                "POST", "/embed", b'{"inputs": ["a dog", "a cat"]}', {"content-type": "application/json"}
            )
        except OSError:
            return  # new work is refused
        try:
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        except ConnectionResetError:
            return  # it waited to be accepted when the listener was closed
        except (OSError, http.client.HTTPException) as error:
            lost.append(type(error).__name__)
            return
        finally:
            connection.close()


def ended(server: StubServer) -> float:
    started = time.monotonic()
    assert server.process.wait(END_WITHIN_S) in ENDS
    return time.monotonic() - started


@pytest.mark.parametrize("stop", range(STOPS))
def test_every_accepted_request_is_answered(tmp_path: Path, stop: int) -> None:
    after_s = random.Random(f"{SEED}/stop/{stop}").uniform(0.1, 0.6)
    statuses: list[int] = []
    lost: list[str] = []
    with stub_server(tmp_path, encode_s=0.05) as server:
        port = server.port()
        callers = [threading.Thread(target=call_until_refused, args=(port, statuses, lost)) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        time.sleep(after_s)
        server.process.send_signal(signal.SIGTERM)
        took = ended(server)
        for caller in callers:
            caller.join()
    tell(f"stop {stop} after {after_s:.2f} s: {len(statuses)} answers, ended in {took:.1f} s")
    assert not lost
    assert statuses
    assert set(statuses) <= {200, 503}


def test_half_a_body_does_not_hold_the_end_up(tmp_path: Path) -> None:
    with stub_server(tmp_path, drain_s=2) as server, socket.create_connection(("127.0.0.1", server.port())) as half:
        half.sendall(
            b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"
        )
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        assert ended(server) < 5


def test_sigterm_before_it_is_ready_ends_it(tmp_path: Path) -> None:
    with stub_server(tmp_path, encode_s=1.0) as server:
        time.sleep(1.0)
        server.process.send_signal(signal.SIGTERM)
        ended(server)
