"""Runs the receiver: binds the socket, starts and stops the server.

What does not belong here: responses (`receiver`).
"""

import errno
import resource
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from fullscript_pipeline.errors import Busy, ServiceUnavailable, UsageError
from fullscript_pipeline.machine_errors import allow_open_files
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.webhooks.access_log import AccessLog
from fullscript_pipeline.webhooks.group_commit import DeliveryWriter
from fullscript_pipeline.webhooks.idle_connections import IdleConnections
from fullscript_pipeline.webhooks.protocol import ImpatientProtocol
from fullscript_pipeline.webhooks.receiver import Receiver
from fullscript_pipeline.webhooks.webhook_endpoints import WebhookEndpoint

_BACKLOG = 1024
# Open files besides idle and reading connections: other files, and connections that are being answered or stored.
_FILES_BESIDE_CONNECTIONS = 600
_MOST_IDLE, _FEWEST_IDLE = 1500, 100
# Longer than a proxy keeps its own side open (nginx: 60 s), so that we do not close first, during a request.
_IDLE_SECONDS = 75
_ENOUGH_FILES = 2 * _MOST_IDLE + _FILES_BESIDE_CONNECTIONS
_STOP_SECONDS = 3
_LARGEST_HEAD = 32 << 10
_RECEIVE_BUFFER = 32 << 10


def _most_idle() -> int:
    """Half of the files that this process may open; the other half is for connections whose body is arriving."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_endless = soft in (resource.RLIM_INFINITY, -1)
    return _MOST_IDLE if is_endless else max(_FEWEST_IDLE, min(_MOST_IDLE, (soft - _FILES_BESIDE_CONNECTIONS) // 2))


class _WebhookServer(uvicorn.Server):
    """Calls `ready` when it listens, and does not raise its stop signals again afterwards."""

    def __init__(self, receiver: Receiver, ready: Callable[[], None]) -> None:
        class Impatient(ImpatientProtocol):
            idle = IdleConnections(_most_idle())

        super().__init__(
            uvicorn.Config(
                receiver,
                http=Impatient,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                h11_max_incomplete_event_size=_LARGEST_HEAD,
                backlog=_BACKLOG,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()


def serve(
    endpoints: Sequence[WebhookEndpoint],
    store: StateStore,
    *,
    host: str,
    port: int,
    inbox_bytes: int,
    on_ready: Callable[[str], None],
    log: Callable[[str], None],
) -> None:
    """Receives until SIGTERM or SIGINT; requests in progress are answered. `on_ready` gets the base URL.

    No delivery is accepted while `inbox_bytes` wait to be handled. Raises Busy if another program has the port,
    UsageError if the port cannot be used, ConfigurationError if this process may open too few files.
    """
    allow_open_files(_ENOUGH_FILES)
    with _bound(host, port) as listening, AccessLog(log) as access_log, DeliveryWriter(store, inbox_bytes) as writer:
        receiver = Receiver(endpoints, writer.write, access_log, most_reading=_most_idle())
        _WebhookServer(receiver, lambda: on_ready(_url(listening))).run(sockets=[listening])


@contextmanager
def serving(
    endpoints: Sequence[WebhookEndpoint],
    store: StateStore,
    log: Callable[[str], None] | None = None,
    inbox_bytes: int | None = None,
) -> Iterator[str]:
    """Receives in a thread of this process, on a free port of loopback; yields the base URL."""
    started = threading.Event()
    with (
        _bound("127.0.0.1", 0) as listening,
        AccessLog(log or (lambda _: None)) as access_log,
        DeliveryWriter(store, inbox_bytes) as writer,
    ):
        server = _WebhookServer(Receiver(endpoints, writer.write, access_log), started.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            if not started.wait(15):
                raise ServiceUnavailable("The webhook receiver did not start to listen within 15 seconds.")
            yield _url(listening)
        finally:
            server.should_exit = True
            thread.join(10)


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        raise UsageError(f"{host} is no address of this machine: leave --host out, or name one that is.") from None
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # The maximum that a connection can put into our memory at a time; connections inherit it.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        try:
            listening.bind((host, port))
            listening.listen(_BACKLOG)
        except (OSError, OverflowError) as problem:
            said = f" ({problem.strerror})" if isinstance(problem, OSError) and problem.strerror else ""
            taken = isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE
            raise (Busy if taken else UsageError)(
                f"Port {port} of {host} cannot be used{said}: choose another with --port, 0 for any."
            ) from None
        yield listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
