"""What the machine runs out of is one sentence, whoever says it first."""

import errno
import os
import subprocess
import sys

import duckdb
import pytest

from fullscript_pipeline.machine_errors import shortage_error, stop_signal_in

ASK = """
import resource
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.machine_errors import allow_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
try:
    allow_open_files()
except ConfigurationError as refused:
    print(refused)
else:
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("error", "todo"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "free some space"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n 1024"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
        (MemoryError(), "memory"),
        (duckdb.OutOfMemoryException("Failed to allocate block of 262144 bytes (bad allocation)"), "memory"),
        (duckdb.IOException('Cannot open file "x": Too many open files'), "ulimit -n 1024"),
        (RuntimeError("can't start new thread"), "memory"),
    ],
)
def test_it_is_reported_also_where_another_error_hides_it(error: Exception, todo: str) -> None:
    hiding = ValueError("no table could be read")
    hiding.__cause__ = error
    for one in (error, hiding):
        short = shortage_error(one)
        assert short is not None and todo in str(short)


def test_a_signal_is_found_behind_the_error_that_it_became() -> None:
    interrupted = RuntimeError("Query interrupted")
    interrupted.__cause__ = KeyboardInterrupt()
    assert stop_signal_in(interrupted) is interrupted.__cause__
    for other in (RuntimeError("deadlock"), GeneratorExit(), None):
        assert stop_signal_in(other) is None


def test_duckdb_s_own_limit_and_any_other_error_are_no_shortage() -> None:
    limit = duckdb.OutOfMemoryException("could not allocate block of size 256.0 KiB (76.2 MiB/76.2 MiB used)")
    for other in (limit, PermissionError(errno.EACCES, "Permission denied"), KeyError("x")):
        assert shortage_error(other) is None


@pytest.mark.parametrize(
    ("soft", "hard", "answer"),
    [(12, 40, "ulimit -n 1024"), (40, 200, "200"), (64, 4_096, "1024"), (2_000, 4_096, "2000")],
)
def test_a_run_may_open_the_files_it_needs_or_says_so(soft: int, hard: int, answer: str) -> None:
    script = ASK.format(soft=soft, hard=hard)
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"}
    )
    assert answer in told.stdout
