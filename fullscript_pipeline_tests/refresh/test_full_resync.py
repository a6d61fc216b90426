"""The 30 days of the feeds: watched at 7 and 21, a lost span is named and everything read again (promise 23)."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from fullscript_pipeline import refresh
from fullscript_pipeline.extraction.pulls.event_feeds import feeds_of
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic

TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def live_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveClinic]:
    with open_live_clinic(tmp_path_factory.mktemp("sweep"), patients=6, products=10) as found:
        yield found


def last_look(live_clinic: LiveClinic, days: int) -> None:
    position = (TODAY - timedelta(days=days)).isoformat()
    for feed in feeds_of(live_clinic.clinic.region):
        live_clinic.store.feeds.set_position(live_clinic.clinic.server, live_clinic.clinic.clinic_id, feed, position)


@pytest.mark.parametrize(
    ("days", "level"), [(0, "ok"), (6, "ok"), (7, "warn"), (20, "warn"), (21, "error"), (30, "error")]
)
def test_the_age_of_the_feeds_is_watched(live_clinic: LiveClinic, days: int, level: str) -> None:
    last_look(live_clinic, days)
    found = refresh.feed_freshness(live_clinic.store, live_clinic.clinic, TODAY)
    assert (found.level, found.days, found.lost_span) == (level, days, None)
    assert (f"{days} days ago" in found.sentence()) == (level != "ok")


def test_after_more_than_thirty_days_the_lost_span_is_named_and_a_sweep_finds_what_happened(
    live_clinic: LiveClinic,
) -> None:
    last_look(live_clinic, 34)
    # An order of the lost days: no event of it is listed any more, and the trailing window does not reach it.
    order = live_clinic.world.orders[live_clinic.order()]
    live_clinic.world.events.popitem()
    order["completed_at"] = datetime(2026, 7, 1, 9, tzinfo=UTC).isoformat()
    plan = live_clinic.active_plans()[0]
    live_clinic.change_plan(plan, personal_message="changed while nobody looked")
    live_clinic.world.events.popitem()
    live_clinic.look()
    found = refresh.feed_freshness(live_clinic.store, live_clinic.clinic, TODAY)
    assert found.lost_span == "2026-10-19 to 2026-10-23"
    assert found.level == "error"
    assert "2026-10-19 to 2026-10-23 is in no feed any more; a full re-sync" in found.sentence()
    with live_clinic.session(live_clinic.clinic) as session:
        refresh.resync_clinic(live_clinic.target(live_clinic.clinic), session)
        refresh.mark_resync_done(live_clinic.store, live_clinic.clinic, TODAY)
    assert live_clinic.stored("orders", ["order_id"], f"order_id = '{order['id']}'") == [(order["id"],)]
    stored = live_clinic.stored("treatment_plans", ["personal_message"], f"treatment_plan_id = '{plan.id}'")
    assert stored == [("changed while nobody looked",)]
    after = refresh.feed_freshness(live_clinic.store, live_clinic.clinic, TODAY)
    assert (after.level, after.lost_span) == ("ok", None)
    assert "read again on 2026-11-22" in str(after.last_resync)


def test_the_daily_pull_names_the_span_too(live_clinic: LiveClinic, tmp_path: Path) -> None:
    last_look(live_clinic, 40)
    live_clinic.pull_everything()
    assert refresh.pending_resync_span(live_clinic.store, live_clinic.clinic) == "2026-10-13 to 2026-10-23"
