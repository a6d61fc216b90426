"""`ui`: the Dagster UI and daemon on loopback, over this data directory and, where there is one, the demo's sandbox.

It says when the UI answers, and ends when any of the processes it started does: a UI without its daemon runs nothing,
and without the demo's sandbox every pull fails.
"""

import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click
import httpx
from filelock import FileLock, Timeout

from fullscript_pipeline.cli.children import child, sandbox_server
from fullscript_pipeline.cli.demo import read_env
from fullscript_pipeline.cli.say import talk
from fullscript_pipeline.errors import Busy, ServiceUnavailable
from fullscript_pipeline.sandbox.client import find_running
from fullscript_pipeline.settings import Settings, load_settings

WORKSPACE = Path(__file__).parents[2] / "workspace.yaml"
_LOOK_EVERY_SECONDS = 2.0
_LOOK_AT_SANDBOX_EVERY = 15.0
_SLOW_SECONDS = 60.0


@click.command(help="Serve the Dagster UI on 127.0.0.1 until stopped, with its daemon: schedules and sensors run.")
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
def ui(port: int) -> int:
    # Not at the top: help and completion should not wait for Dagster.
    from fullscript_pipeline.orchestration.instance import prepare_home  # noqa: PLC0415

    os.environ.update({name: value for name, value in read_env(load_settings()).items() if name not in os.environ})
    settings = load_settings()
    _require_free(port)
    prepare_home(settings)
    with ExitStack() as running:
        running.enter_context(_the_only_one(settings))
        if address := _demo_sandbox(settings):
            talk(f"sandbox      {running.enter_context(sandbox_server(str(settings.sandbox_dir), address))}")
        # `dg dev` and `dagster dev` are the same servers; dagster's own entry point needs no package of its own.
        command = [sys.executable, "-m", "dagster", "dev", "-w", str(WORKSPACE), "-h", "127.0.0.1", "-p", str(port)]
        # Away from `.env`: Dagster would read it too, and let it win over the environment, which it never does here.
        # And away from whatever modules lie in the folder.
        variables = {**_paths_from_anywhere(settings), "PYTHONWARNINGS": _warnings()}
        process = running.enter_context(child(command, variables, cwd=settings.dagster_home))
        try:
            _wait_until_it_answers(process, port)
            talk(f"Dagster UI   http://127.0.0.1:{port}   (stop with Ctrl-C)", bold=True)
            _watch(process, settings if address else None)
        except KeyboardInterrupt:
            talk("stopping ...")
    return 0


def _paths_from_anywhere(settings: Settings) -> dict[str, str]:
    """The settings that name a file or folder, such that they hold in any working directory."""
    paths = {"FULLSCRIPT_DATA_DIR": str(settings.data_dir)}
    if key_file := os.environ.get("FULLSCRIPT_ENCRYPTION_KEY_FILE"):
        paths["FULLSCRIPT_ENCRYPTION_KEY_FILE"] = str(Path(key_file).absolute())
    if settings.on_failure_command and "/" in (program := settings.on_failure_command[0]):
        told = [str(Path(program).absolute()), *settings.on_failure_command[1:]]
        paths["FULLSCRIPT_ON_FAILURE_COMMAND"] = shlex.join(told)
    return paths


def _warnings() -> str:
    """The user's own, and silence on `dagster dev` being superseded by `dg dev`: it is the same."""
    theirs = os.environ.get("PYTHONWARNINGS")
    return ",".join([*([theirs] if theirs else []), "ignore:Function `dev_command` is superseded"])


def _demo_sandbox(settings: Settings) -> int | None:
    """The port to serve the demo's sandbox on, when this data directory holds one that nobody serves yet."""
    address = urlsplit(os.environ.get("FULLSCRIPT_US_SND_API_URL", ""))
    held = settings.sandbox_dir.exists() and any(settings.sandbox_dir.iterdir())
    if address.hostname != "127.0.0.1" or not held:
        return None
    if running := find_running(settings.sandbox_dir):
        running.close()
        return None
    return address.port


def _wait_until_it_answers(process: "subprocess.Popen[str]", port: int) -> None:
    began, told = time.monotonic(), False
    while process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/server_info", trust_env=False, timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        if not told and time.monotonic() - began > _SLOW_SECONDS:
            talk(f"The UI has not answered for {_SLOW_SECONDS:.0f} s; still waiting (its log is above) ...")
            told = True
        time.sleep(0.2)
    raise ServiceUnavailable(f"The UI ended with code {process.returncode} before it answered; its log is above.")


def _watch(process: "subprocess.Popen[str]", sandboxed: Settings | None) -> None:
    """Returns never but by an exception: Ctrl-C, or ServiceUnavailable when a process has died."""
    looked = time.monotonic()
    while process.poll() is None:
        time.sleep(_LOOK_EVERY_SECONDS)
        if sandboxed and time.monotonic() - looked > _LOOK_AT_SANDBOX_EVERY:
            looked = time.monotonic()
            _require_sandbox(sandboxed)
    raise ServiceUnavailable(
        f"The UI or its daemon ended with code {process.returncode}; its log is above. Nothing is scheduled until "
        "`fullscript-pipeline ui` runs again; what was missed is made up for then."
    )


def _require_sandbox(settings: Settings) -> None:
    running = find_running(settings.sandbox_dir)
    if running is None:
        raise ServiceUnavailable(
            "The demo's sandbox has died, and every pull would fail: start `fullscript-pipeline ui` again."
        )
    running.close()


@contextmanager
def _the_only_one(settings: Settings) -> Iterator[None]:
    """Raises Busy: two daemons over one data directory would both ask for every run."""
    lock = FileLock(settings.dagster_home / "ui.lock", timeout=0)
    try:
        with lock:
            yield
    except Timeout:
        raise Busy(
            f"A UI with its daemon runs over {settings.data_dir} already: use that one, or stop it first."
        ) from None


def _require_free(port: int) -> None:
    """Raises Busy: two UIs on one port would share it silently."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise Busy(f"Port {port} is in use (another UI?): stop that, or choose another with --port.") from None
