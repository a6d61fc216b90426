"""A PostgreSQL server of its own for the tests, on a free port, run as an ordinary user; and a database for each store.

What does not belong here: assertions.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.server_program import READY_SECONDS, ServerProgram

_NOBODY = 65534
# The program changes the user, and not subprocess, which would fork for it: a process that has gRPC connections to a
# code server, as the drills have, does not survive a fork.
_AS_NOBODY = (
    f"import os, sys; os.setgroups([]); os.setgid({_NOBODY}); os.setuid({_NOBODY}); os.execv(sys.argv[1], sys.argv[1:])"
)


@dataclass(frozen=True)
class PostgresServer:
    """`url`: of the database that a new server has."""

    port: int
    program: ServerProgram = field(repr=False, compare=False)
    _made: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    @property
    def url(self) -> str:
        return _url_at(self.port)

    def url_of(self, name: str) -> str:
        """The address of a database of its own, made for `name` the first time. A schema would not do: that of
        Dagster's history has a fixed name, so tests would share it."""
        database = f"s{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        if database not in self._made:
            self.execute(f"CREATE DATABASE {database}")
            self._made.add(database)
        return _url_at(self.port, database)

    def execute(self, statement: str) -> None:
        """Runs a statement of the tests outside a transaction."""
        _execute(self.url, statement)


@contextmanager
def running_postgres(*arguments: str, key: Path | None = None) -> Iterator[PostgresServer]:
    """Skips the test where PostgreSQL is not installed. `key`: of its certificate, which it must own."""
    programs = postgres_programs()
    folder, port = Path(tempfile.mkdtemp(prefix="postgres-")), free_port()
    # PostgreSQL refuses to run as root.
    is_root = os.getuid() == 0
    user = [sys.executable, "-c", _AS_NOBODY] if is_root else []
    try:
        if is_root:
            os.chown(folder, _NOBODY, _NOBODY)
            if key:
                os.chown(key, _NOBODY, _NOBODY)
        data = folder / "data"
        subprocess.run(
            [*user, programs / "initdb", "-D", data, "-U", "tests", "--auth=trust", "--no-sync", "-E", "UTF8"],
            check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "fsync": "off"}
        flags = [f"--{name}={value}" for name, value in options.items()]
        run = [*user, str(programs / "postgres"), "-D", str(data), *flags, *arguments]
        url = _url_at(port)
        program = ServerProgram(
            run, wait=lambda process: _wait_until_ready(url, process), stop=signal.SIGINT, log=folder / "log",
            cwd=folder,
        )  # fmt: skip
        with program.running():
            yield PostgresServer(port, program)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def postgres_programs() -> Path:
    """The folder of PostgreSQL's programs. Skips the test where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.skip("PostgreSQL is not installed")
    return folders[-1]


def _url_at(port: int, database: str = "postgres") -> str:
    return f"postgresql://tests@127.0.0.1:{port}/{database}"


def _wait_until_ready(url: str, process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            _execute(url, "SELECT 1")
        except OperationalError:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


def _execute(url: str, statement: str) -> None:
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg2"), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(statement))
