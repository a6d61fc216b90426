"""Runs the portal: binds the socket, serves until stopped, and ends sessions that are over.

What does not belong here: what is answered (`app`).
"""

import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from fullscript_pipeline.errors import Busy, PipelineError
from fullscript_pipeline.web.app import create_app
from fullscript_pipeline.web.configuration import PortalConfiguration
from fullscript_pipeline.web.portal import Portal

_STOP_SECONDS = 3
_SWEEP_SECONDS = 60.0
# Longer than proxies hold an idle connection (nginx: 60 s): one closed by us just as it is used is a failed request.
_KEEP_ALIVE_SECONDS = 75
_log = logging.getLogger(__name__)


def server_options(app: ASGIApp, port: int = 0, proxies: Sequence[str] = ("127.0.0.1",)) -> uvicorn.Config:
    """No log of requests: their addresses hold ids. `proxies`: only they say whose request it is."""
    return uvicorn.Config(
        app,
        port=port,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=True,
        forwarded_allow_ips=list(proxies),
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )


class _PortalServer(uvicorn.Server):
    """Calls `ready` when it listens."""

    def __init__(self, portal: Portal, ready: Callable[[], None]) -> None:
        super().__init__(server_options(create_app(portal), proxies=portal.configuration.proxies))
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()


def serve(configuration: PortalConfiguration, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT. `on_ready` gets the base URL that it listens on.

    Raises Busy when the port is in use, ConfigurationError when the store cannot be used.
    """
    portal = Portal.open(configuration)
    with _bound(host, port) as listening, _sweeping(portal):
        address = f"http://{host}:{listening.getsockname()[1]}"
        _PortalServer(portal, lambda: on_ready(address)).run(sockets=[listening])
    portal.close()


@contextmanager
def _sweeping(portal: Portal) -> Iterator[None]:
    """Once a minute, ends the sessions that are over, and revokes the tokens of closed ones."""
    stopped = threading.Event()

    def sweep() -> None:
        while not stopped.wait(_SWEEP_SECONDS):
            try:
                portal.sessions.close_ended()
                portal.revoke_closed()
            except PipelineError as problem:
                _log.warning("sessions that are over could not be ended: %s", problem)

    thread = threading.Thread(target=sweep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(_STOP_SECONDS)


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(256)
        except (OSError, OverflowError):
            raise Busy(f"Port {port} of {host} cannot be used (another portal?): choose another with --port.") from None
        yield listening
