"""Starts child processes, waits until they are ready, and always stops them by id within a bounded time.

What does not belong here: which processes (`demo`, `ui`).
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psutil

from fullscript_pipeline.errors import ServiceUnavailable

STOP_WAIT_SECONDS = 10.0


@contextmanager
def run_child(
    command: Sequence[str], env: Mapping[str, str] | None = None, **options: object
) -> Iterator[subprocess.Popen[str]]:
    """Runs `command` for the length of the block; afterwards neither it nor anything it started is left."""
    process = subprocess.Popen(list(command), env={**os.environ, **(env or {})}, text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        with _ignore_signals():
            stop_tree(process)


@contextmanager
def _ignore_signals() -> Iterator[None]:
    """A second Ctrl-C, or make's own signal after the user's, must not leave orphan child processes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_tree(process: "subprocess.Popen[str]") -> None:
    """SIGTERM to the process and its descendants, then SIGKILL to those that stay."""
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process_to_stop in family:
        _signal(process_to_stop, signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=STOP_WAIT_SECONDS)
    for process_to_stop in alive:
        _signal(process_to_stop, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=2)
    process.wait(timeout=2)


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


@contextmanager
def sandbox_server(directory: str, port: int, *options: str) -> Iterator[str]:
    """Runs a sandbox in a child process; yields its base URL. Raises ServiceUnavailable with the sandbox's error."""
    command = [
        sys.executable,
        "-m",
        "fullscript_pipeline.sandbox",
        "--directory",
        directory,
        "--port",
        str(port),
        *options,
    ]
    with run_child(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        yield _wait_until_ready(process)


def _wait_until_ready(process: "subprocess.Popen[str]") -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.stdout is not None:
        line = process.stdout.readline()
        if line.startswith("sandbox ready "):
            return line.split()[-1]
        if process.poll() is not None:
            break
    problem = process.stderr.read().strip() if process.stderr else ""
    raise ServiceUnavailable(f"The sandbox did not start: {problem or 'it was not ready within 30 s'}")
