"""One JSON object per event on stderr: ids and counts, never a caller's text, never a secret."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog


def configure_logs(level: str) -> None:
    """Send structlog's events, and those of every library's logger, through one JSON renderer."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, _render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[_from_library, structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)


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


def _render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=str).decode()
