"""Runs a sandbox on loopback: the application, the socket, the address file and a clean stop.

What does not belong here: the command line's words and exit codes, and anything about the world.
"""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn
from filelock import FileLock, Timeout
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fullscript_pipeline.sandbox.client import ADDRESS_FILE
from fullscript_pipeline.sandbox.control import Control
from fullscript_pipeline.sandbox.embedding import EmbeddedPages
from fullscript_pipeline.sandbox.errors import SandboxBusy, SandboxError
from fullscript_pipeline.sandbox.fault_middleware import FaultMiddleware
from fullscript_pipeline.sandbox.http_replies import error_answer
from fullscript_pipeline.sandbox.instance import Sandbox
from fullscript_pipeline.sandbox.plan_pages import PlanPages
from fullscript_pipeline.sandbox.routes import Api
from fullscript_pipeline.sandbox.socket_faults import ListeningSocket
from fullscript_pipeline.sandbox.store import STATE_FILE
from fullscript_pipeline.sandbox.webhook_admin import HookControl

HOST = "127.0.0.1"


class RequestIds:
    """Puts an `X-Request-Id` on every answer, as the vendor does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = str(uuid4())
            await send(message)

        await self.app(scope, receive, tagged if scope["type"] == "http" else send)


def create_app(directory: Path, **options: Any) -> Starlette:
    """The ASGI application of the sandbox kept in `directory`; `options` are the fields of `settings.Settings`.

    Raises SandboxError when the directory cannot be used or its world was made with other options.
    """
    sandbox = Sandbox.open(directory, **options)
    app = Starlette(
        routes=[
            *Control(sandbox).routes(),
            *HookControl(sandbox).routes(),
            *PlanPages(sandbox).routes(),
            *EmbeddedPages(sandbox.grants).routes(),
            *Api(sandbox).routes(),
        ],
        middleware=[Middleware(RequestIds)],
        exception_handlers={HTTPException: _http_error, Exception: _crash},
    )
    app.state.sandbox = sandbox
    return app


async def _http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return error_answer(status, {404: "Not found", 405: "Method not allowed"}.get(status, "Error"))


async def _crash(_: Request, __: Exception) -> Response:
    # This answer is made outside of the middleware, so it gets its id here; uvicorn logs the traceback.
    response = error_answer(500, "The sandbox made a mistake; its log says which")
    response.headers["X-Request-Id"] = str(uuid4())
    return response


class _Server(uvicorn.Server):
    """Calls `ready` when it listens."""

    def __init__(self, app: ASGIApp, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=3,
            )
        )
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Opens the sockets, then calls `ready`."""
        await super().startup(sockets=sockets)
        self.ready()


@contextmanager
def _opened(
    directory: Path, port: int, options: dict[str, Any], on_ready: Callable[[str], None]
) -> Iterator[tuple[_Server, socket.socket]]:
    # One server a directory, one bound socket; the address file exists while (and only while) it listens.
    with _owned(directory), _bound(port) as listening:
        base_url = f"http://{HOST}:{listening.getsockname()[1]}"
        address = directory / ADDRESS_FILE

        def ready() -> None:
            address.touch(mode=0o600)
            address.write_text(base_url + "\n", encoding="utf-8")
            on_ready(base_url)

        try:
            app = create_app(directory, **options)
            faulty = FaultMiddleware(app, app.state.sandbox)
            server = _Server(faulty, ready)
            faulty.listening_socket = ListeningSocket(server)
            yield server, listening
        finally:
            address.unlink(missing_ok=True)


def serve(directory: Path, *, port: int, on_ready: Callable[[str], None] | None = None, **options: Any) -> None:
    """Serves the sandbox of `directory` on loopback until SIGTERM or SIGINT; port 0 lets the OS choose.

    `options`: the fields of `settings.Settings`; those left out (or None) are the stored world's, or the defaults on
    the first start. `on_ready` gets the base URL once the server listens. Raises SandboxError: port in use, directory
    in use or unusable, bad options.
    """
    with _opened(directory, port, options, on_ready or (lambda _: None)) as (server, listening):
        # uvicorn stops on these signals and then raises them again for the handlers it found: ours, which do nothing,
        # so that the clean-up here still runs.
        before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            server.run(sockets=[listening])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def serving(directory: Path, *, port: int = 0, **options: Any) -> Iterator[str]:
    """Serves in a thread of this process for the length of the block; yields the base URL. Raises SandboxError."""
    started = threading.Event()
    urls: list[str] = []

    def ready(base_url: str) -> None:
        urls.append(base_url)
        started.set()

    with _opened(directory, port, options, ready) as (server, listening):
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            if not started.wait(15):
                raise SandboxError("The sandbox did not start to listen within 15 seconds.")
            yield urls[0]
        finally:
            server.should_exit = True
            thread.join(10)


def advance_offline(directory: Path, *, days: int | None = None, to: date | None = None) -> dict[str, Any]:
    """Moves the clock of a sandbox that no server runs. Raises SandboxError: no sandbox there, one runs, bad days."""
    if not (directory / STATE_FILE).is_file():
        raise SandboxError(f"There is no sandbox in {directory}; start one with `sandbox serve` first.")
    with _owned(directory):
        sandbox = Sandbox.open(directory)
        summary = sandbox.advance(days=days, to=to)
        return summary | {"webhooks": dict(asyncio.run(sandbox.sender.run(sandbox.moment)))}


@contextmanager
def _owned(directory: Path) -> Iterator[None]:
    lock = FileLock(directory / "lock", mode=0o600)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        raise SandboxBusy(f"Another sandbox uses {directory}; stop it or choose another directory.") from None
    except OSError as error:
        raise SandboxError(f"The sandbox's directory {directory} cannot be written ({error.strerror}).") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _bound(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
            listening.listen(128)  # with SO_REUSEADDR a port in use may only show here
        except (OSError, OverflowError):
            raise SandboxBusy(f"Port {port} of {HOST} cannot be used; choose another one, or 0 for any.") from None
        yield listening
