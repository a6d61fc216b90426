"""Dagster's run launcher for one machine: each run is a process of its own, forked from one that has imported it all.

`dagster.yaml` names this class. The daemon launches; any process that opens the instance can stop a run or ask for its
health, because a run names its process in its tags. What does not belong here: executing a run (`run_parent`).
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import dagster as dg
from dagster._config.config_schema import UserConfigSchema
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value

from fullscript_pipeline.orchestration.runtime.launch_failures import launch_failure, require_code_origin
from fullscript_pipeline.orchestration.runtime.orphans import health_of, process_of

_PACKAGE = Path(__file__).parents[2]
# Modules in the working directory must not be imported: -P.
_RUN_PARENT = [sys.executable, "-P", "-m", "fullscript_pipeline.orchestration.runtime.run_parent"]


class ForkingLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Launches runs as forks of one process per version of the code, which it starts for the first run."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._inst_data = inst_data
        self._parent: _RunParent | None = None
        self._one_at_a_time = threading.Lock()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """Where `dagster.yaml` names this class."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """No configuration."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Makes the launcher that `dagster.yaml` names."""
        del config_value
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Starts the run's process. Raises DagsterLaunchFailedError when it could not be started."""
        run = context.dagster_run
        require_code_origin(run)
        instance_ref = serialize_value(self._instance.get_ref())
        request = json.dumps({"run_id": run.run_id, "instance_ref": instance_ref})
        with self._one_at_a_time:
            # The first may be one that ends just now, because there was nothing to start for a while.
            if not (self._current_parent().start(request) or self._current_parent().start(request)):
                raise launch_failure("The process that starts runs has ended; the daemon's log may say why.")

    def _current_parent(self) -> "_RunParent":
        code = _newest_change()
        if self._parent is None or self._parent.has_ended() or self._parent.code != code:
            self.dispose()
            self._parent = _RunParent(code)
        return self._parent

    def terminate(self, run_id: str) -> bool:
        """Asks the run's process to stop, also a command's. False: it has ended, or cannot be reached from here."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        process = process_of(run)
        if process is None or not process.is_alive():
            self._instance.report_engine_event("The process of this run cannot be reached from here.", run)
            return False
        os.kill(process.pid, signal.SIGINT)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Always: the run's tags name its process."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process is alive; of another machine that is known only with the history on PostgreSQL."""
        return health_of(self._instance, run)

    def dispose(self) -> None:
        """Lets the process end as soon as its runs have ended."""
        if self._parent:
            self._parent.close()
            self._parent = None


class _RunParent:
    """A process that starts runs (`run_parent`). `code`: of which code, as `_newest_change` tells."""

    def __init__(self, code: int) -> None:
        self.code = code
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(_RUN_PARENT, stdin=theirs.fileno())
        self._pipe = ours.makefile("rw", encoding="utf-8")
        ours.close()

    def start(self, request: str) -> bool:
        """Hands a request over. False: the process had ended before it started anything.

        Raises DagsterLaunchFailedError when it was killed: it may have started the run, which must not start twice.
        """
        try:
            self._pipe.write(f"{request}\n")
            self._pipe.flush()
            if self._pipe.readline():
                return True
        except (BrokenPipeError, ConnectionResetError):
            pass
        if code := self._process.wait():
            raise launch_failure(f"The process that starts runs ended with exit code {code}.")
        return False

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        """No further runs; a thread waits for those that go on, so that no zombie stays."""
        with suppress(BrokenPipeError):  # what could not be written is written again by close
            self._pipe.close()
        threading.Thread(target=self._process.wait, daemon=True).start()


def _newest_change() -> int:
    """When the code was last changed: an upgrade or an edit counts from the next run on, as in a new process."""
    return max(path.stat().st_mtime_ns for path in _PACKAGE.rglob("*.py"))
