"""One JSON object per event on stderr: ids and counts, never a caller's text, never a secret."""

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import orjson
import structlog

WRITE_AFTER_S = 0.02


class Lines:
    """A stream that gathers what is written on an event loop, and writes it WRITE_AFTER_S later at the latest.

    A write of its own for each request costs as much as all the rest of it, and waits where nobody reads. Off the event
    loop everything is written at once.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._gathered: list[str] = []
        self._waits_on: asyncio.AbstractEventLoop | None = None

    def write(self, text: str) -> int:
        """Gather it."""
        with self._lock:
            self._gathered.append(text)
        return len(text)

    def flush(self) -> None:
        """See to it that what is gathered will be written."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.write_out()
            return
        if self._waits_on is not loop:
            self._waits_on = loop
            loop.call_later(WRITE_AFTER_S, self.write_out)

    def write_out(self) -> None:
        """Write it now."""
        with self._lock:
            self._waits_on = None
            text = "".join(self._gathered)
            self._gathered.clear()
            self._stream.write(text)
            self._stream.flush()


class LineLogger:
    """What structlog calls with the text of an event, by the name of its level."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def info(self, text: str) -> None:
        """Write it."""
        self._lines.write(text + "\n")
        self._lines.flush()

    debug = warning = error = critical = info


def configure_logs(level: str) -> Lines:
    """Send structlog's events, and those of every library's logger, through one JSON renderer to stderr.

    Write the lines out before the process ends.
    """
    lines = Lines(sys.stderr)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[_stamp, _render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: LineLogger(lines),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_stamp],
            processors=[_from_library, structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)
    logging.getLogger("httpx").setLevel(max(threshold, logging.WARNING))  # else a line for each call to Qdrant
    return lines


def describe(error: BaseException) -> dict[str, Any]:
    """What to log of an exception: its type and where it was raised.

    Not its message and not the source lines: either can hold a caller's text.
    """
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "exception": type(error).__name__,
        "traceback": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _from_library(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Name the library, and keep only the type and the place of an exception it logged."""
    event["logger"] = event["_record"].name
    _, error, _ = event.pop("exc_info", None) or (None, None, None)
    if error is not None:
        event.update(describe(error))
    return event


def _stamp(_logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Level and time, as two processors of structlog would add them in three times as long."""
    event["level"] = method
    seconds, micros = divmod(time.time_ns() // 1000, 1_000_000)
    event["timestamp"] = f"{_second(seconds)}.{micros:06}Z"
    return event


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=str).decode()
