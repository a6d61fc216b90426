"""What the processes of a reliability test do: they read orders on stdin and answer on stdout.

    python -m fullscript_pipeline_tests.drills.workers rounds THREADS CALLS
    python -m fullscript_pipeline_tests.drills.workers budget LIMIT WINDOW THREADS LANE

Settings come from the environment, as for any command. What does not belong here: judging.
"""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from fullscript_pipeline.api import ClinicSession, Priority, open_session
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import RequestBudget, StateStore
from fullscript_pipeline.state.request_budgets import RequestBudgets


class ScaledBudgets(RequestBudgets):
    """Budgets with another limit and a shorter window."""

    scale = (4750, 300.0)

    def of_app(self, server: str, client_id: str, limit: int) -> RequestBudget:
        key = (server, client_id, self.scale[0])
        if key not in self._budgets:
            self._budgets[key] = RequestBudget(self._db, server, "app", self.scale[0], window=self.scale[1])
        return self._budgets[key]


def rounds(threads: int, calls: int) -> None:
    """For every line: `calls` requests from `threads` threads of one session; answers how many came back."""
    settings = load_settings()
    with StateStore.open(settings) as store:
        clinic = store.clinics.all()[0]
        with open_session(settings, store, clinic) as session, ThreadPoolExecutor(threads) as pool:
            _say("ready")
            for _ in sys.stdin:
                _say(len(list(pool.map(lambda _: session.fetch_object("clinic"), range(calls)))))


def budget(limit: int, window: float, threads: int, priority: Priority) -> None:
    """From the first line until the second: requests as fast as the budget lets them; answers when each came back."""
    settings = load_settings()
    ScaledBudgets.scale = (limit, window)
    store = StateStore.open(settings)
    store.budgets = ScaledBudgets(store.db)
    with store, open_session(settings, store, store.clinics.all()[0], priority=priority) as session:
        _say("ready")
        sys.stdin.readline()
        stop = threading.Event()
        with ThreadPoolExecutor(threads) as pool:
            jobs = [pool.submit(_until, stop, session) for _ in range(threads)]
            sys.stdin.readline()
            stop.set()
        _say(" ".join(f"{moment:.4f}" for job in jobs for moment in job.result()))


def _until(stop: threading.Event, session: ClinicSession) -> list[float]:
    """Seconds of the machine's monotonic clock, which all its processes share."""
    moments = []
    while not stop.is_set():
        session.fetch_object("clinic")
        moments.append(time.monotonic())
    return moments


def _say(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    if name == "rounds":
        rounds(int(numbers[0]), int(numbers[1]))
    else:
        budget(int(numbers[0]), float(numbers[1]), int(numbers[2]), cast(Priority, numbers[3]))
