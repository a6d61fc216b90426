"""What several machines share (PostgreSQL, a bucket, a lake, a queue) as settings, and workers that act as machines.

What does not belong here: assertions.
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fullscript_pipeline.cli.subprocesses import run_child
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.redis_server import RedisServer
from fullscript_pipeline_tests.helpers.s3_server import S3Server

_WORKER = [sys.executable, "-m", "celery", "-A", "fullscript_pipeline.orchestration.worker", "worker"]


def shared_stores(folder: Path, postgres: PostgresServer, s3: S3Server, queue: RedisServer) -> dict[str, str]:
    """The settings of every machine. The database and the bucket are made for `folder`."""
    database = f"d{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    postgres.execute(f"CREATE DATABASE {database}")
    catalog = f"dbname={database} host=127.0.0.1 port={postgres.port} user=tests"
    return {
        **s3.variables,
        "FULLSCRIPT_STATE_URL": f"{postgres.url.rpartition('/')[0]}/{database}",
        "FULLSCRIPT_WAREHOUSE_URL": f"ducklake:postgres:{catalog}",
        "FULLSCRIPT_FILES_URL": s3.new_bucket().url,
        "FULLSCRIPT_RUNNER": f"celery+{queue.url}",
    }


@contextmanager
def machine(folder: Path, command: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    """A program with a data directory of its own, a process group of its own, and a log at `folder / "log"`."""
    folder.mkdir()
    with (
        (folder / "log").open("w") as log,
        run_child(
            command,
            {"FULLSCRIPT_DATA_DIR": str(folder / "data")},
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        yield process


@contextmanager
def worker(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A machine that takes runs from the queue."""
    with machine(folder, [*_WORKER, "--hostname", f"{folder.name}@%h", "--loglevel", "INFO"]) as process:
        yield process
