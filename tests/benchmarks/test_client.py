"""The load client against servers that answer in awkward ways."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress

import pytest

from benchmarks.client import Job, Outcome, bodies, run, send

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1,2,3,45]"


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
    return await reader.readexactly(length)


async def ask(answer: Answer, requests: list[str], connections: int) -> Outcome:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                await answer(await read_request(reader), writer)
        writer.close()

    server: AbstractAsyncContextManager[asyncio.Server] = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server as running:
        port = running.sockets[0].getsockname()[1]
        try:
            return await run(Job(port, "/embed", requests, connections))
        finally:
            await asyncio.sleep(0.1)  # until the server has seen the end of every connection


def test_every_body_arrives_once_and_every_answer_is_timed() -> None:
    seen: list[bytes] = []

    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(body)
        writer.write(ANSWER)

    sent = bodies([f"text {number}" for number in range(23)], 2, "inputs")
    outcome = asyncio.run(ask(answer, sent, connections=3))
    assert sorted(seen) == sorted(body.encode() for body in sent)
    assert len(outcome.latencies) == len(sent) == 12
    assert 0 < max(outcome.latencies) <= outcome.seconds


def test_an_answer_that_comes_in_pieces_is_one_answer() -> None:
    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in (ANSWER[:5], ANSWER[5:30], ANSWER[30:-3], ANSWER[-3:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)

    outcome = asyncio.run(ask(answer, ["{}"] * 3, connections=1))
    assert len(outcome.latencies) == 3
    assert min(outcome.latencies) >= 0.03


@pytest.mark.parametrize("answered", [b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n", b""])
def test_a_refusal_and_a_closed_connection_fail_the_job(answered: bytes) -> None:
    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answered)
        writer.close()

    with pytest.raises((RuntimeError, ConnectionError)):
        asyncio.run(ask(answer, ["{}"] * 3, connections=2))


def test_bodies_hold_the_texts_in_order_and_what_else_is_needed() -> None:
    made = [json.loads(body) for body in bodies(["a", "b", "c"], 2, "input", {"model": "m"})]
    assert made == [{"input": ["a", "b"], "model": "m"}, {"input": ["c"], "model": "m"}]


def test_nobody_listening_is_told() -> None:
    with pytest.raises(RuntimeError, match="did not answer"):
        send(Job(1, "/embed", ["{}"], 1))
