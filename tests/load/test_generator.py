"""The generator tells what a server with known delays did."""

import asyncio
from itertools import pairwise

import pytest

from tests.load.generator import Load, Outcome, due_times, generate, post

REQUEST = post("/", b"{}")


def measured(*, delay: float = 0.0, at_once: int = 1000, status: int = 200, leaving: float = 0.0) -> Outcome:
    """A second of even load, 50 requests of it, against a server with room for so many at once."""

    async def run() -> Outcome:
        room = asyncio.Semaphore(at_once)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while await reader.readexactly(len(REQUEST)):
                    async with room:
                        await asyncio.sleep(delay)
                    writer.write(f"HTTP/1.1 {status} X\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await generate(Load(port, REQUEST, 50, 1, "even", leaving))

    return asyncio.run(run())


def test_latency_is_the_delay_of_the_server() -> None:
    outcome = measured(delay=0.1)
    assert sum(outcome.counts().values()) in (50, 51)
    assert 0.1 <= outcome.percentile(0.5) < 0.3


def test_waiting_behind_others_is_not_hidden() -> None:
    outcome = measured(delay=0.04, at_once=1)  # 25 a second, so the last of 50 is a second late
    assert outcome.percentile(0.99) > 0.8


def test_answers_are_counted_by_status_with_their_headers() -> None:
    outcome = measured(status=429)
    assert set(outcome.counts()) == {429}
    assert all(b"retry-after: 1" in head for head in outcome.headers[429])
    with pytest.raises(ValueError, match="no answer"):
        outcome.percentile(0.5)


def test_clients_that_leave_are_no_failures() -> None:
    outcome = measured(leaving=1.0)
    assert outcome.left in (50, 51)
    assert not outcome.failed
    assert not outcome.latencies


def test_arrivals_follow_from_the_seed() -> None:
    load = Load(1, REQUEST, 1000, 10)
    times = list(due_times(load))
    assert times == list(due_times(load))
    assert 9_500 < len(times) < 10_500
    assert min(after - before for before, after in pairwise(times)) < 0.0005
