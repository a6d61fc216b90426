"""A Redis server of its own for the tests, on a free port, run as an ordinary user, with a password.

What does not belong here: assertions.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.wait_until import wait_until_it_listens

PASSWORD = "password-of-the-queue"
_READY_SECONDS = 30.0
_NOBODY = 65534


@dataclass(frozen=True)
class RedisServer:
    """`url`: of its first database, as Celery takes it."""

    port: int

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Skips the test where Redis is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed")
    folder, port = Path(tempfile.mkdtemp(prefix="redis-")), free_port()
    user: dict[str, Any] = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "requirepass": PASSWORD}
    run = [program, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    try:
        if user:
            os.chown(folder, _NOBODY, _NOBODY)
        with subprocess.Popen(run, stdout=subprocess.DEVNULL, cwd=folder, **user) as process:
            try:
                wait_until_it_listens(port, process, _READY_SECONDS)
                yield RedisServer(port)
            finally:
                process.terminate()
                process.wait(_READY_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
