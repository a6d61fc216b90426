"""Extends uvicorn's HTTP/1.1 by a deadline for a request's head, its waiting time, and responses to invalid input.

What does not belong here: bodies and responses (`receiver`), which connections are closed (`idle_connections`).
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
# The vendor itself gives up after two seconds.
_HEAD_SECONDS = 5.0
# struct tcp_info of Linux: eight bytes, then numbers of four; tcpi_last_data_recv, milliseconds, is the twelfth.
_LAST_DATA_AT = 8 + 11 * 4
_LINGER_SECONDS = 1.0
_END = b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout" + _END
_NONSENSE = b"HTTP/1.1 400 Bad Request" + _END


class ImpatientProtocol(H11Protocol):
    """Closes a connection if the head of its first request does not arrive within five seconds.

    For a later request, the five seconds begin with its first byte. `idle` belongs to the server.
    """

    idle: IdleConnections
    _head_timer: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(_HEAD_SECONDS, self.close_idle)
        self._fall_idle()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return  # read and discarded: closing with unread bytes would send a reset, and the response would be lost
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
        """Answers input that is not HTTP, or stops being HTTP within a body."""
        self._refused = True
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.abort()  # a response is being sent already
            return
        self.transport.write(_NONSENSE)
        self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _waited(self) -> float:
        """The seconds that the data waited in the kernel before they were read."""
        connection = self.transport.get_extra_info("socket")
        try:
            tcp_info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_AT + 4)
            return float(struct.unpack_from("=I", tcp_info, _LAST_DATA_AT)[0]) / 1000
        except (AttributeError, OSError, struct.error):
            return 0.0  # not Linux: only the time after the read is known

    def close_idle(self) -> None:
        """Closes an idle connection with status 408."""
        if not self.transport.is_closing():
            self.transport.write(_TOO_SLOW)
            self.transport.close()

    def _fall_idle(self) -> None:
        self.idle.add(self, self.client[0] if self.client else "")

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
