"""The web pages of other sites that may call the service from a browser."""

import re

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?|\*")


def origins_in_list(text: str) -> list[str]:
    """The origins of a comma-separated list; raises ValueError."""
    origins = [part.strip() for part in text.split(",") if part.strip()]
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin} is no origin such as https://app.example.com, without a path")
    return origins
