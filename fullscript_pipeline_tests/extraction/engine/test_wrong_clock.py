"""Nothing is loaded under a wrong clock, whichever way something is loaded; a clock that is a little off is told."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import WrongClock
from fullscript_pipeline.extraction.engine import Pull
from fullscript_pipeline.extraction.pulls import clinic as clinic_pulls
from fullscript_pipeline.extraction.pulls import event_feeds
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.runtime import console_logging
from fullscript_pipeline.orchestration.runtime.in_process_runs import Outcome, run_job
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition, region_partition
from fullscript_pipeline.refresh import poll_feeds, reconcile
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.clinic_pull import OneClinic
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connected]:
    """A clinic that was never pulled; no FULLSCRIPT_NOW: the sandbox's `Date` is the machine's time."""
    today = datetime.now(UTC).date()
    folder = tmp_path_factory.mktemp("clock")
    with connected_pipeline(folder, clinics=1, world_clinics=1, patients=5, products=10, start=today) as made:
        yield made


@pytest.fixture
def one(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> Iterator[OneClinic]:
    monkeypatch.delenv("FULLSCRIPT_NOW")
    made = OneClinic(connected)
    yield made
    connected.sandbox.control.disarm()
    made.session.close()


def off(connected: Connected, by: timedelta) -> None:
    """From now on the server's clock is so far ahead of ours: ours is so far behind."""
    connected.sandbox.control.disarm()
    connected.sandbox.control.arm("clock_skew", count=None, seconds=by.total_seconds())


def stored(connected: Connected) -> dict[str, Any]:
    """Everything that a load or a look at feeds would change."""
    with closing(sqlite3.connect(connected.settings.state_path)) as state:
        kept = {name: state.execute(f"SELECT * FROM {name}").fetchall() for name in ("events", "cursors", "facts")}
    with open_warehouse(load_settings()).read() as con:
        rows = con.execute("SELECT count(*) FROM ops.pulls").fetchone()
    return kept | {"pulls": rows, "frames": sorted(connected.settings.landing_dir.rglob("*.frames"))}


@pytest.mark.parametrize(
    "by",
    [
        -3652 * DAY,
        *(pytest.param(by, marks=pytest.mark.check_all) for by in (DAY, -DAY, 30 * DAY, -30 * DAY, 3652 * DAY)),
    ],
)
def test_a_day_a_month_ten_years_both_ways_load_nothing(one: OneClinic, by: timedelta) -> None:
    connected, key = one.connected, one.clinic.clinic_key
    console_logging.quiet()
    before = stored(connected)
    off(connected, by)
    with open_instance(connected.settings) as instance:
        add_clinic_partitions(instance, connected.store)
        today = clock.today(connected.settings.time_zone)
        outcomes: list[Outcome] = [
            run_job(instance, "clinic_daily", partition=clinic_partition(key, today)),
            run_job(instance, "catalog_daily", partition=region_partition(one.clinic.region, today)),
        ]
    for outcome in outcomes:
        assert {failure.exit_code for failure in outcome.failures} == {78}
        assert "This machine's clock" in outcome.failures[0].sentence
    assert stored(connected) == before


def test_feeds_that_are_looked_at_under_a_wrong_clock_leave_no_trace(one: OneClinic) -> None:
    connected, clinic = one.connected, one.clinic
    for feed in event_feeds.feeds_of(clinic.region):
        connected.store.feeds.set_position(clinic.server, clinic.clinic_id, feed, str(clock.now().date()))
    off(connected, 3652 * DAY)
    before = stored(connected)
    for read in (poll_feeds, reconcile):
        with pytest.raises(WrongClock):
            read(one.session, connected.store)
    assert stored(connected) == before


def test_a_clock_ahead_loses_no_days_of_the_feeds(one: OneClinic, monkeypatch: pytest.MonkeyPatch) -> None:
    connected, clinic = one.connected, one.clinic
    for feed in event_feeds.feeds_of(clinic.region):
        connected.store.feeds.set_position(clinic.server, clinic.clinic_id, feed, str(clock.now().date()))
    real_now = clock.real_now
    before = stored(connected)
    monkeypatch.setattr(clock, "real_now", lambda: real_now() + 60 * DAY)
    for read in (poll_feeds, reconcile):
        with pytest.raises(WrongClock):
            read(one.session, connected.store)
    assert stored(connected) == before


def test_what_an_interrupted_pull_has_landed_is_not_loaded_under_a_wrong_clock(one: OneClinic) -> None:
    def landed() -> Pull:
        pull = Pull(one.target, "clinics")
        assert pull.land_object(one.session, "clinic")
        return pull

    interrupted = landed()
    interrupted._release()
    off(one.connected, -3652 * DAY)
    fresh = OneClinic(one.connected)
    with fresh.session, pytest.raises(WrongClock):
        clinic_pulls.pull_clinic(fresh.target, fresh.session)
    # The clock is right again: the same landed answer is loaded, and nothing is asked for twice.
    one.connected.sandbox.control.disarm()
    one.count_requests()
    again = OneClinic(one.connected)
    with again.session:
        assert clinic_pulls.pull_clinic(again.target, again.session).outcome == "loaded"
    # (its only request is for the time)
    assert one.count_requests() == {"/clinic": 1}


def test_a_landed_file_of_a_time_to_come_is_set_aside(one: OneClinic) -> None:
    pull = Pull(one.target, "clinics")
    assert pull.land_object(one.session, "clinic")
    pull._release()
    path = Path(pull.file.path)
    later = clock.real_now().timestamp() + 3652 * 86400
    os.utime(path, (later, later))
    other = Pull(one.target, "clinics")
    assert other.file.path != path
    assert path.with_suffix(".abandoned").exists()


def test_a_clock_that_is_changed_while_a_pull_reads_loads_nothing(
    one: OneClinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_now = clock.real_now
    monkeypatch.setattr(clock, "real_now", lambda: real_now() + 3652 * DAY)
    pull = Pull(one.target, "clinics")  # began under the wrong clock, which is then mended
    monkeypatch.setattr(clock, "real_now", real_now)
    assert pull.land_object(one.session, "clinic")
    with pytest.raises(WrongClock, match="changed by -87,648 hours"):
        pull.commit()


def test_a_clock_that_is_a_little_off_is_told_on_the_run(one: OneClinic) -> None:
    off(one.connected, timedelta(minutes=-25))
    report = clinic_pulls.pull_clinic(one.target, one.session)
    assert report.outcome == "loaded"
    assert report.reason == f"this machine's clock is 25 minutes ahead of that of {one.clinic.server}"
    told = one.rows("SELECT reason FROM ops.pulls ORDER BY finished_at DESC LIMIT 1")
    assert told == [(report.reason,)]
