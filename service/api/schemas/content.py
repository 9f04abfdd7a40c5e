"""Texts that are nested in content parts, as chat-like bodies hold them."""

from typing import Any

from service.api.schemas.base import rule


def text_of(content: Any) -> str:
    """A string, or the texts of a list of parts `{"type": "text", "text"}`, one a line.

    Raises what a validator raises.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise rule("content must be a string or a list of parts")
    return "\n".join(map(_text, content))


def _text(part: Any) -> str:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise rule('a part must be an object with a `type`, such as {"type": "text", "text": ...}')
    if part["type"] != "text":
        raise rule("only parts of the type `text` can be embedded; this service has no encoder for others")
    if not isinstance(part.get("text"), str):
        raise rule("a part of the type `text` must have a string `text`")
    text: str = part["text"]
    return text
