import asyncio
import io
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog

from service.telemetry.logs import WRITE_AFTER_S, Lines, configure_logs, describe

Start = Callable[..., httpx.Client]
CANARY = "canary-91c2"


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_each_event_is_one_json_line_with_level_and_time(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    structlog.get_logger().debug("hidden")
    structlog.get_logger().info("shown", count=3)
    (line,) = lines(capfd)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "shown", "count": 3, "level": "info"}


def test_the_logs_of_libraries_go_the_same_way_without_exception_texts(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning")
    library = logging.getLogger("uvicorn.error")
    library.info("hidden")
    try:
        raise ValueError(CANARY)
    except ValueError:
        library.exception("went wrong: %d", 5)
    (line,) = lines(capfd)
    assert (line["event"], line["logger"], line["exception"]) == ("went wrong: 5", "uvicorn.error", "ValueError")
    assert CANARY not in json.dumps(line)


def test_an_exception_is_described_by_type_and_place() -> None:
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        told = describe(error)
    assert told["exception"] == "ValueError"
    assert "test_logs.py" in told["traceback"][0]
    assert CANARY not in json.dumps(told)


def test_no_text_of_a_caller_reaches_the_logs_at_debug(capfd: pytest.CaptureFixture[str], start: Start) -> None:
    configure_logs("debug")
    client = start()
    capfd.readouterr()
    for body in (
        {"inputs": CANARY},
        {"inputs": f"{CANARY} poison"},
        {"inputs": f"{CANARY} nan"},
        {"inputs": [CANARY, 5]},
        {CANARY: CANARY},
        {"inputs": CANARY, "space": CANARY},
        {"inputs": CANARY, "truncate": False, "dimensions": 0},
    ):
        client.post("/embed", json=body, headers={"x-request-id": "mine"})
    client.post("/index", json={"points": [{"id": CANARY, "text": CANARY, "metadata": {CANARY: CANARY}}]})
    client.post("/search", json={"query": CANARY})
    client.post("/embed", content=b'{"inputs": "' + CANARY.encode(), headers={"content-type": "application/json"})
    client.get(f"/collections/{CANARY}/points/{CANARY}?{CANARY}={CANARY}")
    client.get(f"/{CANARY}")
    assert CANARY not in client.get("/metrics").text
    time.sleep(0.1)  # the line is written after the answer
    written = [line for line in lines(capfd) if not line.get("logger", "").startswith("http")]  # the client's own
    requests = [line for line in written if line["event"] == "request" and line["level"] == "info"]
    assert len(requests) == 12
    assert requests[0].items() >= {"route": "/embed", "method": "POST", "status": 200, "items": 1}.items()
    assert requests[0]["request_id"] == "mine"
    assert requests[-1]["route"] == "unmatched"
    assert {line["event"] for line in written} >= {"request", "encode_failed"}
    assert CANARY not in json.dumps(written)
    assert "canary-in-exception" not in json.dumps(written)


class Stream(io.StringIO):
    """Counts how often it is written to."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


def test_lines_of_an_event_loop_are_written_together_and_soon() -> None:
    stream = Stream()
    lines = Lines(stream)

    async def scenario() -> None:
        for number in range(100):
            lines.write(f"{number}\n")
            lines.flush()
        assert stream.getvalue() == ""
        await asyncio.sleep(WRITE_AFTER_S * 3)

    for _ in range(2):  # a second loop has its own timer
        asyncio.run(scenario())
        assert stream.getvalue().splitlines() == [str(number) for number in range(100)]
        assert stream.writes == 1
        stream.truncate(0)
        stream.seek(0)
        stream.writes = 0


def test_off_the_loop_a_line_is_written_at_once_after_those_that_came_before() -> None:
    stream = Stream()
    lines = Lines(stream)

    async def scenario() -> None:
        lines.write("first\n")
        lines.flush()
        await asyncio.to_thread(print, "second", file=lines, flush=True)
        assert stream.getvalue() == "first\nsecond\n"

    asyncio.run(scenario())


def test_what_a_loop_leaves_behind_is_written_at_the_end() -> None:
    stream = Stream()
    lines = Lines(stream)

    async def scenario() -> None:
        lines.write("last\n")
        lines.flush()

    asyncio.run(scenario())
    assert stream.getvalue() == ""
    lines.write_out()
    assert stream.getvalue() == "last\n"
