"""The limits of a connection, where it is encrypted.

Between the protocol and the socket there is then a layer that takes a whole answer at once, so that the protocol does
not see it wait; and that does not end a connection before the client has agreed, which one that is idle does not do.
"""

import array
import asyncio
import fcntl
import termios

from service.protocol import LimitedProtocol

GOODBYE_S = 1.0  # for the client to agree


class SecuredProtocol(LimitedProtocol):
    """`LimitedProtocol` behind TLS.

    An answer that is not read is thrown away where the one after it would wait, or SEND_WITHIN_S after the last one of
    a connection, or with the keep-alive of one that goes on.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The handshake is done."""
        super().connection_made(transport)
        if not transport.is_closing():
            transport.set_write_buffer_limits(high=1, low=0)  # 0 makes uvloop pause and resume in turn, at every write

    def timeout_keep_alive_handler(self) -> None:
        """No next request has come, or the answer to the last one was not read."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(GOODBYE_S, self.transport.abort)

    def shutdown(self) -> None:
        """The service stops; without waiting for clients who have all of their answers."""
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(GOODBYE_S, self._end_when_sent)

    def _end_when_sent(self) -> None:
        if _is_sent(self.transport):
            self.transport.abort()
        else:
            self.loop.call_later(GOODBYE_S, self._end_when_sent)


def _is_sent(transport: asyncio.Transport) -> bool:
    """Whether the client's machine has all that was written."""
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return True
    waiting = array.array("i", [0])
    fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, waiting)
    return waiting[0] == 0
