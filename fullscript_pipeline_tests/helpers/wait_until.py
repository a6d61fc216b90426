"""Waiting for what comes by itself, as long as a loaded machine may need and no longer.

What does not belong here: how long something may take (`benchmarks/`).
"""

import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any


def wait(until: Callable[[], bool], seconds: float = 20, every: float = 0.02) -> bool:
    """Whether `until` came true within `seconds`; it is asked again after `every`."""
    deadline = time.monotonic() + seconds
    while not (done := until()) and time.monotonic() < deadline:
        time.sleep(every)
    return done


def wait_until_it_listens(port: int, process: "subprocess.Popen[Any]", seconds: float) -> None:
    """Until a server that was just started takes connections. Raises AssertionError if it ends, or does not."""
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return
