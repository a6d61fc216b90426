"""What faults do to sockets: resets, silence, slow answers, a port that refuses connections.

What does not belong here: when (`faults`).
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import Message, Receive, Scope, Send

PIECES = 10
NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(kw_only=True)
class CapturedResponse:
    """A whole answer, before it is sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    async def send_with(self, send: Send) -> None:
        """Sends it as it is."""
        await send(self.start)
        await send({"type": "http.response.body", "body": self.body})

    @property
    def start(self) -> Message:
        """The ASGI message with the response's status and headers, and a content length if there is none."""
        length = {} if self.status == 204 else {"content-length": str(len(self.body))}
        pairs = [(key.encode(), text.encode()) for key, text in (length | self.headers).items()]
        return {"type": "http.response.start", "status": self.status, "headers": pairs}


async def capture(
    app: Callable[[Scope, Receive, Send], Awaitable[None]], scope: Scope, receive: Receive
) -> CapturedResponse:
    """Lets the application answer, and returns the answer instead of sending it."""
    answer = CapturedResponse()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {key.decode().lower(): value.decode() for key, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, keep)
    return answer


def cycle_of(send: Send) -> Any:
    """The server's own object behind a `send` that nothing wraps: it has the transport."""
    return getattr(send, "__self__", None)


async def reset(send: Send) -> None:
    """Ends the connection with a reset, as a crashed peer does."""
    await _abort(cycle_of(send).transport)


async def reset_mid_body(answer: CapturedResponse, send: Send) -> None:
    """Promises the whole body, sends half of it, resets."""
    half = answer.body[: len(answer.body) // 2]
    await send(answer.start)
    await send({"type": "http.response.body", "body": half, "more_body": True})
    await asyncio.sleep(0.02)  # let the half arrive: a reset takes back what has not been read
    await reset(send)


async def silence(receive: Receive, send: Send, seconds: float) -> None:
    """Reads the request and does not answer until the time is up or the client has disconnected."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(gone(), seconds)
    await reset(send)


async def drip(answer: CapturedResponse, send: Send, seconds: float) -> None:
    """Sends the body in a few pieces, spread over the time."""
    await send(answer.start)
    size = len(answer.body) // PIECES + 1
    for start in range(0, len(answer.body), size):
        await asyncio.sleep(seconds / PIECES)
        await send({"type": "http.response.body", "body": answer.body[start : start + size], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


class ListeningSocket:
    """The listening socket of a running server, which can be shut for a while."""

    def __init__(self, server: uvicorn.Server) -> None:
        self.server = server
        self.opening: asyncio.Task[None] | None = None

    async def shut(self, seconds: float, *, hang: bool) -> None:
        """Drops every connection; new ones are refused, or hang, until the time is up."""
        if self.opening is None or self.opening.done():
            (listening,) = self.server.servers[0].sockets
            address = listening.getsockname()
            for running in self.server.servers:
                running.close()
            keeper = _keeper(address, hang=hang)
            self.opening = asyncio.create_task(self._open_after(seconds, *keeper))
        for connection in list(self.server.server_state.connections):
            await _abort(connection.transport)

    async def _open_after(self, seconds: float, keeper: socket.socket, waiting: list[socket.socket]) -> None:
        try:
            await asyncio.sleep(seconds)
            keeper.listen(128)
            await uvicorn.Server.startup(self.server, sockets=[keeper])
        except asyncio.CancelledError:
            keeper.close()
            raise
        finally:
            for client in waiting:
                client.close()


def _keeper(address: tuple[str, int], *, hang: bool) -> tuple[socket.socket, list[socket.socket]]:
    # A bound socket keeps the port for us. Not listening, it refuses; listening with a full queue, it lets others hang.
    keeper = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(address)
    waiting: list[socket.socket] = []
    if hang:
        keeper.listen(0)
        for _ in range(4):
            client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            client.setblocking(False)
            client.connect_ex(address)
            waiting.append(client)
    return keeper, waiting


async def _abort(transport: Any) -> None:
    if raw := transport.get_extra_info("socket"):
        with contextlib.suppress(OSError, ValueError):  # the client has gone already
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    transport.abort()
    await asyncio.sleep(0.001)  # the server learns of it in the next turn of its loop
