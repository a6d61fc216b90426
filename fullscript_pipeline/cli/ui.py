"""`ui`: runs the Dagster UI and daemon on loopback for this data directory, and a demo's sandbox.

It reports when the UI answers, and stops when any process that it started stops: a UI without its daemon runs nothing,
and without the demo's sandbox every pull fails. What does not belong here: the layer around Dagster's app
(`ui_access`), the web server (`orchestration.webserver`).
"""

import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click
import httpx
from filelock import FileLock, Timeout

from fullscript_pipeline.cli.code_server import code_server
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import print_data, print_message
from fullscript_pipeline.cli.demo import add_demo_variables, read_demo_env, sign_in_links
from fullscript_pipeline.cli.subprocesses import run_child, sandbox_server
from fullscript_pipeline.errors import Busy, ServiceUnavailable
from fullscript_pipeline.sandbox.client import find_running
from fullscript_pipeline.settings import Settings, declared_settings
from fullscript_pipeline.ui_access import make_code, read_key

_WEBSERVER = "fullscript_pipeline.orchestration.webserver"
_DAEMON = "fullscript_pipeline.orchestration.daemon"
_POLL_SECONDS = 2.0
_SANDBOX_POLL_SECONDS = 15.0
_SLOW_SECONDS = 60.0


@click.group(
    invoke_without_command=True,
    help="Serve the Dagster UI on 127.0.0.1 until stopped, with the daemon that runs schedules and sensors. In a "
    "demo's data directory, serve its sandbox too.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.pass_context
def ui(context: click.Context, port: int) -> int | None:
    if context.invoked_subcommand is not None:
        return None
    add_demo_variables()
    return _serve(port=port)


@ui.command("link", help="Print a link that signs a browser in to the running UI: usable once, within ten minutes.")
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@with_settings
def link(settings: Settings, port: int) -> None:
    print_data(_link(settings, port))


def _link(settings: Settings, port: int) -> str:
    """Raises ServiceUnavailable when no UI runs."""
    address = settings.ui_url or f"http://127.0.0.1:{port}"
    return f"{address}/?code={make_code(read_key(settings.ui_key_path))}" if settings.ui_sign_in else address


@with_settings
def _serve(settings: Settings, port: int) -> int:
    # Dagster: help and completion do not need it.
    from fullscript_pipeline.orchestration.runtime import prepare_home  # noqa: PLC0415

    _require_free(port)
    prepare_home(settings)
    with ExitStack() as running:
        running.enter_context(_single_ui(settings))
        if address := _demo_sandbox(settings):
            print_message(f"sandbox      {running.enter_context(sandbox_server(str(settings.sandbox_dir), address))}")
        code = running.enter_context(code_server(settings, _dagster_format(settings), _absolute_paths(settings)))
        children = _dagster_children(settings, port, code.workspace)
        started = [code.process, *(running.enter_context(child) for child in children)]
        if has_portal := bool(read_demo_env(settings) and settings.web_key):
            started.append(running.enter_context(_portal(settings)))
        try:
            _wait_until_ready(started, port)
            print_message(f"Dagster UI   {_link(settings, port)}   (stop with Ctrl-C)", bold=True)
            if settings.ui_sign_in:
                print_message("             The link works once; `fullscript-pipeline ui link` prints another.")
            if has_portal:
                print_message(f"Portal       {settings.web_url}   (sign in as anybody of the sandbox)", bold=True)
                _show_sign_in_links(settings)
            _watch(started, settings if address else None)
        except KeyboardInterrupt:
            print_message("stopping ...")
    return 0


def _show_sign_in_links(settings: Settings) -> None:
    """One address for each clinic of the demo, which signs in as its first practitioner."""
    if running := find_running(settings.sandbox_dir):
        with running:
            for link in sign_in_links(running):
                print_message(f"             {link}")


def _dagster_children(
    settings: Settings, port: int, workspace: Path
) -> Iterator[AbstractContextManager["subprocess.Popen[str]"]]:
    """The web server and the daemon. Not in the folder of `.env`: Dagster would read it too, with precedence over the
    environment (here, the environment has precedence). Modules in that folder must not be imported either."""
    python = (sys.executable, "-m")
    for command in (
        (*python, _WEBSERVER, "-w", str(workspace), "-h", "127.0.0.1", "-p", str(port)),
        (*python, _DAEMON, "run", "-w", str(workspace)),
    ):
        yield run_child(
            [*command, "--log-format", _dagster_format(settings)],
            _absolute_paths(settings),
            cwd=settings.dagster_home,
        )


def _portal(settings: Settings) -> AbstractContextManager["subprocess.Popen[str]"]:
    """The portal of a demo. It must never have the encryption key: its variables are empty for it."""
    names = [name for name in declared_settings() if name.startswith("FULLSCRIPT_ENCRYPTION_KEY")]
    environment = {**dict.fromkeys(names, ""), "FULLSCRIPT_DATA_DIR": str(settings.data_dir)}
    command = [sys.executable, "-m", "fullscript_pipeline", "web", "serve"]
    port = str(urlsplit(settings.web_url).port or 80)
    return run_child([*command, "--port", port], environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _dagster_format(settings: Settings) -> str:
    return "json" if settings.log_format == "json" else "colored"


def _absolute_paths(settings: Settings) -> dict[str, str]:
    """The settings that name a file or folder, as absolute paths: they hold in any working directory."""
    paths = {"FULLSCRIPT_DATA_DIR": str(settings.data_dir)}
    if key_file := os.environ.get("FULLSCRIPT_ENCRYPTION_KEY_FILE"):
        paths["FULLSCRIPT_ENCRYPTION_KEY_FILE"] = str(Path(key_file).absolute())
    for variable in (
        "FULLSCRIPT_ON_FAILURE_COMMAND",
        "FULLSCRIPT_ON_RECOVERY_COMMAND",
        "FULLSCRIPT_ON_CHANGE_COMMAND",
        "FULLSCRIPT_ENCRYPTION_KEY_COMMAND",
    ):
        program, *arguments = shlex.split(os.environ.get(variable, "")) or [""]
        if "/" in program:
            paths[variable] = shlex.join([str(Path(program).absolute()), *arguments])
    return paths


def _demo_sandbox(settings: Settings) -> int | None:
    """The port for the demo's sandbox, when this data directory holds one that is not served yet."""
    address = urlsplit(os.environ.get("FULLSCRIPT_US_SND_API_URL", ""))
    held = settings.sandbox_dir.exists() and any(settings.sandbox_dir.iterdir())
    if address.hostname != "127.0.0.1" or not held:
        return None
    if running := find_running(settings.sandbox_dir):
        running.close()
        return None
    return address.port


def _wait_until_ready(started: Sequence["subprocess.Popen[str]"], port: int) -> None:
    began, is_reported = time.monotonic(), False
    while (ended := _ended(started)) is None:
        try:
            address = f"http://127.0.0.1:{port}/server_info"
            with httpx.stream("GET", address, trust_env=False, timeout=2) as answer:  # the body is not read
                if answer.is_success:
                    return
        except httpx.TransportError:
            pass
        if not is_reported and time.monotonic() - began > _SLOW_SECONDS:
            print_message(f"No answer from the UI for {_SLOW_SECONDS:.0f} s; still waiting (its log is above) ...")
            is_reported = True
        time.sleep(0.2)
    raise ServiceUnavailable(f"The UI stopped with exit code {ended} before it answered; its log is above.")


def _ended(started: Sequence["subprocess.Popen[str]"]) -> int | None:
    """The code of a process that has ended; None while all run."""
    return next((code for process in started if (code := process.poll()) is not None), None)


def _watch(started: Sequence["subprocess.Popen[str]"], sandboxed: Settings | None) -> None:
    """Waits until Ctrl-C. Raises ServiceUnavailable when a process stops."""
    last_poll = time.monotonic()
    while (ended := _ended(started)) is None:
        time.sleep(_POLL_SECONDS)
        if sandboxed and time.monotonic() - last_poll > _SANDBOX_POLL_SECONDS:
            last_poll = time.monotonic()
            _require_sandbox(sandboxed)
    raise ServiceUnavailable(
        f"The UI or its daemon stopped with exit code {ended}; its log is above. Schedules do not run until "
        "`fullscript-pipeline ui` runs again; missed ones run then."
    )


def _require_sandbox(settings: Settings) -> None:
    running = find_running(settings.sandbox_dir)
    if running is None:
        raise ServiceUnavailable(
            "The demo's sandbox has stopped, so every pull would fail: start `fullscript-pipeline ui` again."
        )
    running.close()


@contextmanager
def _single_ui(settings: Settings) -> Iterator[None]:
    """Holds the UI's lock. Raises Busy when another UI has it: two daemons would both request every run."""
    lock = FileLock(settings.dagster_home / "ui.lock", timeout=0, mode=0o600)
    try:
        with lock:
            yield
    except Timeout:
        raise Busy(
            f"A UI with its daemon already runs for {settings.data_dir}: use that one, or stop it first."
        ) from None


def _require_free(port: int) -> None:
    """Raises Busy when the port is in use: two UIs on one port would share it without an error."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise Busy(f"Port {port} is in use (another UI?): stop it, or choose another port with --port.") from None
