"""Write the description of the HTTP interface: `python -m service.document > docs/openapi.json`."""

import sys
from typing import Any

import orjson

from service.app import create_app
from service.settings import Settings


def document() -> dict[str, Any]:
    """The OpenAPI document, as `/openapi.json` of a service with the default settings answers it."""
    return create_app(Settings.model_construct()).openapi()


def written(content: dict[str, Any]) -> bytes:
    """The same bytes for the same document, and a line for each thing, so that a change can be read."""
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    sys.stdout.buffer.write(written(document()))
