"""What schemathesis cannot send by itself: lines of JSON."""

import json
from typing import Any

import schemathesis


def lines(_context: Any, value: Any) -> dict[str, Any]:
    """A text as it is, anything else as one line."""
    return {"data": value if isinstance(value, str | bytes) else json.dumps(value) + "\n"}


schemathesis.serializer("application/x-ndjson")(lines)
