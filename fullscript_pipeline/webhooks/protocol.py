"""uvicorn's HTTP/1.1 with what it lacks: a deadline for a request's head, the time it waited, answers to nonsense.

What does not belong here: bodies and answers to requests (`receiver`), who is closed to make room (`idle_connections`).
"""

import asyncio
import socket
import struct
import time

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from fullscript_pipeline.webhooks.idle_connections import IdleConnections

# In a request's `state`: when its last byte reached this machine, by the monotonic clock.
ARRIVED = "arrived"
# The vendor itself gives up after two.
_HEAD_SECONDS = 5.0
# struct tcp_info of Linux: eight bytes, then numbers of four; tcpi_last_data_recv, milliseconds, is the twelfth.
_LAST_DATA_AT = 8 + 11 * 4
_LINGER_SECONDS = 1.0
_END = b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout" + _END
_NONSENSE = b"HTTP/1.1 400 Bad Request" + _END


class ImpatientProtocol(H11Protocol):
    """Closes a connection whose first request's head is not there within five seconds, or a later one's within five of
    its first byte. `idle` is of the server."""

    idle: IdleConnections
    _head_timer: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(_HEAD_SECONDS, self.close_idle)
        self._fall_idle()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return  # read and thrown away: a close with unread bytes would be a reset, and lose the answer
        if self.conn.their_state is h11.IDLE:
            self.app_state = {ARRIVED: time.monotonic() - self._waited()}
        super().data_received(data)
        waiting = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if not waiting:
            self._stop_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(_HEAD_SECONDS, self.close_idle)
        if self.conn.their_state is not h11.IDLE:
            self.idle.remove(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._fall_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.idle.remove(self)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP, or stopped being it in the middle of a body."""
        self._refused = True
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.abort()  # an answer is on its way already
            return
        self.transport.write(_NONSENSE)
        self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _waited(self) -> float:
        """Seconds that the data lay in the kernel before we came to read them: how far behind we are."""
        connection = self.transport.get_extra_info("socket")
        try:
            tcp_info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_AT + 4)
            return float(struct.unpack_from("=I", tcp_info, _LAST_DATA_AT)[0]) / 1000
        except (AttributeError, OSError, struct.error):
            return 0.0  # not Linux: then only what happens after the read is known

    def close_idle(self) -> None:
        """Ends a connection that owes us a request."""
        if not self.transport.is_closing():
            self.transport.write(_TOO_SLOW)
            self.transport.close()

    def _fall_idle(self) -> None:
        self.idle.add(self, self.client[0] if self.client else "")

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
