"""What became of events: tries at growing distances, then the daily pull; refusals until access changes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef, Grant
from fullscript_pipeline.state import LedgerEvent, StateStore

_MAPLE = ClinicRef(server="us-snd", clinic_id="c-1", clinic_key="maple", region="us")


def _known(store: StateStore, *ids: str) -> None:
    store.events.record(
        LedgerEvent(server="us-snd", clinic_id="c-1", event_id=one, event_type="order.placed", resource_id=f"o-{one}")
        for one in ids
    )


def _event(store: StateStore, event_id: str) -> LedgerEvent:
    found = store.events.get("us-snd", "c-1", event_id)
    assert found is not None
    return found


def test_tries_are_1_5_and_30_minutes_apart_then_the_daily_pull(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = datetime(2026, 11, 22, 12, tzinfo=UTC)
    monkeypatch.setattr(clock, "real_now", lambda: moment)
    with StateStore(tmp_path / "state.sqlite") as store:
        _known(store, "a")
        waits = []
        for _ in range(4):
            store.tries.postpone(_MAPLE, ["a"], "not there yet")
            after = _event(store, "a").next_try_at
            waits.append(after - moment if after else None)
        assert waits == [timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), None]
        assert (_event(store, "a").attempts, _event(store, "a").reason) == (4, "not there yet")
        backlog = store.tries.backlog(_MAPLE)
        assert (backlog.waiting, backlog.unreadable) == (1, 0)
        assert backlog.since == _event(store, "a").seen_at


def test_what_is_closed_waits_no_more_and_only_what_was_read_counts_as_processed(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.sqlite") as store:
        _known(store, "a", "b", "c")
        store.tries.close(_MAPLE, ["a"], "stored")
        store.tries.close(_MAPLE, ["b"], "unreadable", "orders are refused")
        assert [event.event_id for event in store.events.pending("us-snd", "c-1")] == ["c"]
        assert store.events.processed_ids("us-snd", "c-1", ["a", "b", "c"]) == {"a", "b"}
        assert _event(store, "a").processed_at is not None
        assert _event(store, "b").processed_at is None
        assert store.tries.backlog(_MAPLE).reasons == {"orders are refused": 1}
        store.events.reopen("us-snd", "b")
        assert {event.event_id for event in store.events.pending("us-snd", "c-1")} == {"b", "c"}


def test_another_grant_or_other_scopes_open_again_what_was_refused(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.sqlite") as store:
        store.clinics.register("us-snd", "c-1", "us", "Maple")
        assert store.tokens.save_grant(_MAPLE, _grant("clinic:read"))
        _known(store, "a")
        store.tries.close(_MAPLE, ["a"], "unreadable", "refused")
        assert store.tokens.save_grant(_MAPLE, _grant("clinic:read"), expected_generation=1)
        assert store.events.pending("us-snd", "c-1") == [], "a renewal is no news"
        assert store.tokens.save_grant(_MAPLE, _grant("clinic:read patients:read"), expected_generation=2)
        assert len(store.events.pending("us-snd", "c-1")) == 1
        store.tries.close(_MAPLE, ["a"], "unreadable", "refused")
        assert store.tokens.save_grant(_MAPLE, _grant("clinic:read patients:read"))
        assert len(store.events.pending("us-snd", "c-1")) == 1


def _grant(scopes: str) -> Grant:
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    return Grant(
        user_id="u-1",
        user_type="Staff",
        scopes=tuple(scopes.split()),
        obtained_at=moment,
        expires_at=moment + timedelta(hours=2),
        access_token="access",
        refresh_token="refresh",
    )
