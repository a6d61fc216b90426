"""Dagster's daemon, which looks again as soon as a webhook or a request of the portal arrives.

`python -m fullscript_pipeline.orchestration.daemon run` takes the options of `dagster-daemon run`. Dagster's own looks
every five seconds, which was most of the way from a webhook to the page. One private name of Dagster is replaced; it is
pinned with Dagster's version and tested. What does not belong here: what is done with an arrival (the sensors).
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import dagster._daemon.cli
import dagster._daemon.controller
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._daemon.daemon import DaemonIterator, SensorDaemon
from sqlalchemy.exc import DBAPIError

from fullscript_pipeline import clock
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.orchestration.program_start import start_program
from fullscript_pipeline.portal_store import PortalRequests, split_keys
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore

LOOK_SECONDS = 0.25
# A store that could not be read is left alone for so long.
UNREADABLE_SECONDS = 5.0
# The sensors of arrivals may run again after this time. The second look after an arrival is for one that came while
# its sensor was running.
SENSOR_SECONDS = 1.0
_LOOKS_AFTER_ARRIVAL = 2
_log = logging.getLogger(__name__)


class _Arriving(Protocol):
    def newest(self) -> tuple[int, float]: ...


class Arrivals:
    """What the receiver and the portal have stored for the daemon."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: StateStore | None = None
        self._queue: PortalRequests | None = None
        self._last: tuple[int, float] = 0, 0.0
        self._is_reported = False
        self._next_look = 0.0

    def newest(self) -> tuple[int, float]:
        """A value that changes with each arrival; the last one while a store cannot be read."""
        if time.monotonic() < self._next_look:
            return self._last
        try:
            self._last = self._newest_delivery(), self._newest_request()
        except (PipelineError, DBAPIError) as problem:
            self.close()
            self._next_look = time.monotonic() + UNREADABLE_SECONDS
            if not self._is_reported:
                why = problem.orig if isinstance(problem, DBAPIError) else problem
                _log.warning("webhooks and requests of the portal are looked for every five seconds: %s", why)
                self._is_reported = True
        return self._last

    def close(self) -> None:
        for opened in (self._store, self._queue):
            if opened is not None:
                opened.close()
        self._store = self._queue = None

    def _newest_delivery(self) -> int:
        if self._store is None:
            self._store = StateStore.open(self._settings)
        return self._store.inbox.newest_number()

    def _newest_request(self) -> float:
        keys = split_keys(self._settings.web_key)
        if self._queue is None and keys and Path(self._settings.portal_requests_path).exists():
            self._queue = PortalRequests(
                self._settings.portal_requests_path, keys, lambda: clock.real_now().timestamp()
            )
        return self._queue.newest_s() if self._queue else 0.0


class WokenWait:
    """The event that ends the daemon, for which its loop waits between two looks: not long after an arrival."""

    def __init__(self, ending: threading.Event, arrivals: _Arriving) -> None:
        self._ending, self._arrivals = ending, arrivals
        self._seen, self._short_waits = arrivals.newest(), 0

    def is_set(self) -> bool:
        return self._ending.is_set()

    def wait(self, timeout: float) -> bool:
        """Waits until the end of the daemon, an arrival or `timeout` seconds; returns whether the daemon is to end."""
        began = time.monotonic()
        while not self._ending.wait(min(LOOK_SECONDS, max(0.0, began + timeout - time.monotonic()))):
            waited = time.monotonic() - began
            if (newest := self._arrivals.newest()) != self._seen:
                self._seen, self._short_waits = newest, _LOOKS_AFTER_ARRIVAL
            if waited >= timeout:
                return False
            if self._short_waits and waited >= SENSOR_SECONDS:
                self._short_waits -= 1
                return False
        return True


def woken_sensor_daemon(open_arrivals: Callable[[], Arrivals]) -> type[SensorDaemon]:
    """The daemon of sensors whose waits end when something arrives."""

    class WokenSensorDaemon(SensorDaemon):
        def core_loop(
            self, workspace_process_context: IWorkspaceProcessContext[Any], shutdown_event: threading.Event
        ) -> DaemonIterator:
            arrivals = open_arrivals()
            try:
                # Its loop only waits for the event.
                ending = cast(threading.Event, WokenWait(shutdown_event, arrivals))
                yield from super().core_loop(workspace_process_context, ending)
            finally:
                arrivals.close()

    return WokenSensorDaemon


def main() -> None:
    """Runs until stopped. Exits with a message and an exit code when a setting is wrong."""
    settings = start_program()
    controller: Any = dagster._daemon.controller
    controller.SensorDaemon = woken_sensor_daemon(lambda: Arrivals(settings))
    dagster._daemon.cli.main()


if __name__ == "__main__":
    main()
