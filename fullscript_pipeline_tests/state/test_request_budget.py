"""The budget: never above the limit in any rolling window, whoever asks, whenever."""

import subprocess
import sys
import time
from bisect import bisect_right
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.api import Priority
from fullscript_pipeline.state import RequestBudget, StateStore
from fullscript_pipeline.state.database import Database
from fullscript_pipeline_tests.drills.request_budget_drill import the_limit_is_never_passed


class _Time:
    """A clock that moves only when somebody sleeps, or when told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.001)


def _budget(db: Database, moment: _Time, limit: int = 100, window: float = 300.0) -> RequestBudget:
    return RequestBudget(db, "us-snd", "app", limit, window=window, clock=moment.clock, sleep=moment.sleep)


def _most_in_a_window(times: list[float], window: float) -> int:
    ordered = sorted(times)
    return max((bisect_right(ordered, start + window) - index for index, start in enumerate(ordered)), default=0)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30), st.floats(0, 9), st.booleans()), min_size=4, max_size=12),
    st.integers(5, 60),
)
def test_no_window_ever_holds_more_than_the_limit(
    tmp_path: Path, bursts: list[tuple[int, int, float, bool]], limit: int
) -> None:
    """Three processes (three objects on one file) with bursts and pauses; one may die with permits in hand."""
    moment = _Time()
    path = tmp_path / f"{time.monotonic_ns()}.sqlite"
    with StateStore(path) as store:
        budgets = [_budget(store.db, moment, limit, 30) for _ in range(3)]
        sent: list[float] = []
        for who, count, pause, dies in bursts:
            for _ in range(count):
                budgets[who].acquire("present")
                sent.append(moment.now)
            moment.now += pause
            if dies:
                budgets[who] = _budget(store.db, moment, limit, 30)
        assert _most_in_a_window(sent, 30.0) <= limit


def test_a_busy_budget_is_used_almost_completely(tmp_path: Path) -> None:
    moment = _Time()
    with StateStore(tmp_path / "state.sqlite") as store:
        budget = _budget(store.db, moment, 1000)
        start = moment.now
        for _ in range(5000):
            budget.acquire("present")
        # Four windows must pass for five limits; 5 % may be lost.
        assert moment.now - start <= 4 * 300 / 0.95


def test_the_backfill_leaves_a_reserve_to_the_present(tmp_path: Path) -> None:
    moment = _Time()
    with StateStore(tmp_path / "state.sqlite") as store:
        budget = _budget(store.db, moment, 4750)
        start = moment.now
        for _ in range(4500):
            budget.acquire("backfill")
        assert moment.now == start
        for _ in range(250):
            budget.acquire("present")
        assert (moment.now, budget.used()) == (start, 4750)
        budget.acquire("backfill")
        assert moment.now >= start + 300


def test_a_small_limit_still_lets_the_backfill_through(tmp_path: Path) -> None:
    moment = _Time()
    with StateStore(tmp_path / "state.sqlite") as store:
        budget = _budget(store.db, moment, 1)
        for lane in ("backfill", "present", "backfill"):
            budget.acquire(_lane(lane))


def _lane(text: str) -> Priority:
    return "backfill" if text == "backfill" else "present"


def test_unused_permits_are_returned(tmp_path: Path) -> None:
    moment = _Time()
    with StateStore(tmp_path / "state.sqlite") as store:
        slow = _budget(store.db, moment, 1000)
        slow.acquire("present")
        assert slow.used() == 20
        moment.now += 60
        slow.acquire("present")  # gives the old block back: one used, nineteen not
        assert slow.used() == 21
        moment.now += 400
        assert slow.used() == 0


def test_a_store_that_is_closed_gives_its_permits_back(tmp_path: Path) -> None:
    """A run opens a store for every step: a block for each would use the budget up with hardly a request."""
    for _ in range(10):
        with StateStore(tmp_path / "state.sqlite") as store:
            for lane in ("present", "backfill"):
                store.budgets.of_app("us-snd", "id", 4750).acquire(_lane(lane))
    with StateStore(tmp_path / "state.sqlite") as store:
        assert store.budgets.of_app("us-snd", "id", 4750).used() == 20


_KILLED = """
import os, signal, sys
from pathlib import Path
from fullscript_pipeline.state import StateStore
budget = StateStore(Path(sys.argv[1])).budgets.of_app("us-snd", "id", 1000)
for lane in ("present", "present", "present", "backfill"):
    budget.acquire(lane)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.sqlite_file
def test_permits_of_a_killed_process_are_returned_when_needed(tmp_path: Path) -> None:
    """Blocks of 20: the dead have used 3 + 1 of 40 each, the living 1 of 20, which nobody may take from it."""
    path = tmp_path / "state.sqlite"
    with StateStore(path) as store:
        living = store.budgets.of_app("us-snd", "id", 1000)
        living.acquire("present")
        for _ in range(2):
            subprocess.run([sys.executable, "-c", _KILLED, str(path)], cwd=Path(__file__).parents[2], check=False)
        assert living.used() == 100
        store.budgets.of_app("us-snd", "id", 100).acquire("present")  # a block of 2, and nothing is free
        assert living.used() == 20 + 2 * 4 + 2
        assert len(list((tmp_path / "state.sqlite.permits").iterdir())) == 2
    assert list((tmp_path / "state.sqlite.permits").iterdir()) == []


def test_a_hold_stops_everybody(tmp_path: Path) -> None:
    moment = _Time()
    with StateStore(tmp_path / "state.sqlite") as store:
        one, other = _budget(store.db, moment), _budget(store.db, moment)
        start = moment.now
        one.pause_requests(40)
        one.pause_requests(5)
        other.acquire("present")
        assert start + 40 <= moment.now < start + 60


def test_apps_and_servers_do_not_share(tmp_path: Path) -> None:
    moment = _Time()
    with StateStore(tmp_path / "state.sqlite") as store:
        start = moment.now
        for server, app in (("us-snd", "a"), ("us-snd", "b"), ("ca-snd", "a")):
            budget = RequestBudget(store.db, server, app, 10, clock=moment.clock, sleep=moment.sleep)
            for _ in range(10):
                budget.acquire("present")
        assert moment.now == start
        assert store.budgets.of_app("us", "id", 5) is store.budgets.of_app("us", "id", 5)
        assert store.budgets.of_app("us", "id", 5) is not store.budgets.of_app("ca", "id", 5)


@pytest.mark.parametrize("jump", [-3600.0, -86400.0])
def test_a_clock_that_is_set_back_delays_a_window_not_for_ever(tmp_path: Path, jump: float) -> None:
    moment = _Time()
    with StateStore(tmp_path / "state.sqlite") as store:
        budget = _budget(store.db, moment, 50)
        for _ in range(50):
            budget.acquire("present")
        moment.now += jump
        start = moment.now
        budget.acquire("present")
        assert moment.now - start <= 330


def test_waiting_is_logged_seldom(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    moment = _Time()
    with StateStore(tmp_path / "state.sqlite") as store:
        budget = _budget(store.db, moment, 50)
        for _ in range(51):
            budget.acquire("present")
    assert len([record for record in caplog.records if "request budget of us-snd" in record.message]) == 1


@pytest.mark.check_all
@pytest.mark.sqlite_file
def test_the_servers_own_count_never_passes_the_limit(tmp_path: Path) -> None:
    """Real time and real processes, scaled down; `make soak` has the full numbers."""
    figures = the_limit_is_never_passed(tmp_path, processes=2, threads=4, limit=100, window=1, calls=300)
    # In so short a time the first who starts has the larger half; that nobody starves is what can be seen.
    assert figures["slowest_share"] >= 0.1
