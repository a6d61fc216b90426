"""A Redis server of its own for the tests, on a free port, run as an ordinary user, with a password.

What does not belong here: assertions.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline_tests.helpers.certificates import certificate_of_localhost
from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.server_program import READY_SECONDS, ServerProgram
from fullscript_pipeline_tests.helpers.wait_until import wait_until_it_listens

PASSWORD = "password-of-the-queue"
_NOBODY = 65534


@dataclass(frozen=True)
class RedisServer:
    """`url`: of its first database, as Celery takes it. `certificate`: of a server that speaks TLS only."""

    port: int
    program: ServerProgram = field(repr=False, compare=False)
    certificate: Path | None = None

    @property
    def url(self) -> str:
        if self.certificate:
            return f"rediss://:{PASSWORD}@localhost:{self.port}/0?ssl_ca_certs={self.certificate}"
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"


@contextmanager
def running_redis(*, uses_tls: bool = False) -> Iterator[RedisServer]:
    """Skips the test where Redis is not installed."""
    redis = shutil.which("redis-server")
    if redis is None:
        pytest.skip("Redis is not installed")
    folder, port = Path(tempfile.mkdtemp(prefix="redis-")), free_port()
    user: dict[str, Any] = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "requirepass": PASSWORD}
    options["appendonly"] = "yes"  # what waits in the queue is there after a restart
    if uses_tls:
        certificate, key = certificate_of_localhost(folder)
        options |= {"port": 0, "tls-port": port, "tls-cert-file": certificate, "tls-key-file": key}
        options["tls-auth-clients"] = "no"
    run = [redis, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    try:
        if user:
            for path in (folder, *folder.iterdir()):
                os.chown(path, _NOBODY, _NOBODY)
        program = ServerProgram(
            run, wait=lambda process: wait_until_it_listens(port, process, READY_SECONDS), cwd=folder, **user
        )
        with program.running():
            yield RedisServer(port, program, folder / "cert.pem" if uses_tls else None)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
