"""Bodies and answers of any size, a piece at a time. Each piece gets the time that an ordinary request has in all."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from service.errors import WrongMediaType
from service.protocol import PATIENCE_KEY
from service.watch import deadline_of

# What a web page may send to this machine without being asked.
_SENT_BY_PAGES = frozenset({"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})


async def body_pieces(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; raises WrongMediaType and, when the client leaves, ClientDisconnect."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in _SENT_BY_PAGES:
        raise WrongMediaType("The body must say what it is; send `content-type: application/octet-stream`.")
    ask_for_time: Callable[[], None] | None = request.scope.get(PATIENCE_KEY)
    if ask_for_time is not None:
        ask_for_time()
    deadline = deadline_of(request.scope)
    async for piece in request.stream():
        deadline.renew()
        if piece:
            yield piece


class StreamedAnswer(Response):
    """An answer that is made while it is sent.

    Starlette's own reads from the connection at the same time, to learn that the client leaves, and so would take
    pieces of a body that is still coming; here the middleware watches.
    """

    def __init__(
        self, pieces: AsyncGenerator[bytes], *, media_type: str, headers: dict[str, str] | None = None
    ) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self._pieces = pieces
        self.init_headers(headers)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it. What fails before the first piece is answered as ever; later it cuts the answer off, so that nobody
        takes it for whole."""
        deadline = deadline_of(scope)
        async with aclosing(self._pieces) as pieces:
            piece = await anext(pieces, None)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while piece is not None:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                deadline.renew()
                piece = await anext(pieces, None)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
