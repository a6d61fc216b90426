"""The process from which the daemon's runs are forked: it has imported what a run needs, and waits.

Importing takes longer than a small run. The definitions are not among what is kept: each run builds its own, because
clinics, days and `.env` may have changed. This process has one Python thread and opens no file, connection or database,
so that a fork of it starts clean. Standard input is a socket to the launcher: a line of JSON asks for a run, a line
answers when it was started. It ends when the launcher closes the socket and the last run has ended, or when there was
nothing to start for a while, because it costs as much memory as a run.

What does not belong here: which run is started (`forking_launcher`).
"""

import atexit
import gc
import json
import logging
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from dagster import DagsterInstance
from dagster._core.instance import InstanceRef
from dagster._serdes import deserialize_value

import fullscript_pipeline.build  # noqa: F401 - what a run needs; see the docstring
from fullscript_pipeline.orchestration.runtime.run_execution import execute_run
from fullscript_pipeline.private_files import keep_files_private

IDLE_SECONDS = 900.0
# Nobody waits for a run: on a busy machine the portal and the UI, where people wait, come first, and the daemon too.
LOWER_PRIORITY = 10
_REAP_SECONDS = 5.0
_LAUNCHER = 0
log = logging.getLogger(__name__)


def main() -> None:
    """Starts runs until the socket is closed."""
    keep_files_private()
    os.nice(LOWER_PRIORITY)
    # Ctrl-C in a terminal reaches every process of it: the runs stop by it, and this one ends with the daemon.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Without this, the first collection in a run would copy all the memory that it shares with this process.
    gc.freeze()
    for line in _requests():
        if os.fork() == 0:
            _execute_and_exit(line)
        os.write(_LAUNCHER, b"started\n")
    with suppress(ChildProcessError):
        while True:
            os.wait()


def _requests() -> Iterator[str]:
    """Ends with the socket, or after IDLE_SECONDS without a run."""
    while True:
        wait = _REAP_SECONDS if _has_runs() else IDLE_SECONDS
        readable, _, _ = select.select([sys.stdin], [], [], wait)
        if readable:
            # The launcher waits for the answer before it sends the next line, so the buffer never holds another.
            if not (line := sys.stdin.readline()):
                return
            yield line
        elif wait == IDLE_SECONDS:
            return


def _has_runs() -> bool:
    """Whether a run is going on; takes note of those that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return False
    return True


def _execute_and_exit(request: str) -> NoReturn:
    """Ends the process without the destructors of libraries: they would wait for threads that a fork does not copy."""
    try:
        _execute(**json.loads(request))
    except BaseException as error:
        # The run's events say what failed; the error's text may quote data, so it is not for the daemon's log.
        log.error("A run's process ended with %s; the run's events say more.", type(error).__name__)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _execute(run_id: str, instance_ref: str) -> None:
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), _LAUNCHER)
    with DagsterInstance.from_ref(deserialize_value(instance_ref, InstanceRef)) as instance:
        execute_run(instance, run_id)


if __name__ == "__main__":
    main()
