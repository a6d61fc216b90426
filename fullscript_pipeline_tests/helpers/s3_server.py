"""An S3 server of its own for the tests (rclone, from a wheel), on a free port; it keeps objects as files of a folder.

What does not belong here: assertions.
"""

import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.server_program import READY_SECONDS, ServerProgram
from fullscript_pipeline_tests.helpers.wait_until import wait_until_it_listens

_KEY, _SECRET = "tests", "secret-of-tests"


@dataclass(frozen=True)
class Bucket:
    """`folder`: where the server keeps its objects."""

    url: str
    folder: Path

    def objects(self) -> list[str]:
        """The names of all objects, sorted."""
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in paths)


@dataclass(frozen=True)
class S3Server:
    """`variables`: what AWS's clients read."""

    port: int
    folder: Path
    program: ServerProgram = field(repr=False, compare=False)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
        }

    def new_bucket(self) -> Bucket:
        name = f"bucket-{next(self._numbers)}"
        (self.folder / name).mkdir()
        return Bucket(f"s3://{name}/place", self.folder / name / "place")


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Skips the test where rclone is not installed."""
    program = _program()
    folder, port = Path(tempfile.mkdtemp(prefix="s3-")), free_port()
    options = ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{_KEY},{_SECRET}", "--config", "/dev/null"]
    # A test may change a file of the server itself. With 0 the server never rests.
    run = [program, "serve", "s3", str(folder), *options, "--vfs-cache-mode", "off", "--dir-cache-time", "10ms"]
    try:
        server = ServerProgram(run, wait=lambda process: wait_until_it_listens(port, process, READY_SECONDS))
        with server.running():
            yield S3Server(port, folder, server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program() -> str:
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if not found:
        pytest.skip("rclone, the S3 server of the tests, is not installed")
    return found
