"""The ledger of events, feed positions, availability, and what a data directory is."""

from datetime import date
from pathlib import Path

import pytest

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.state import LedgerEvent, StateStore

KEY = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="
_MAPLE = ClinicRef(server="us-snd", clinic_id="c-1", clinic_key="maple", region="us")


def _event(event_id: str, **more: str) -> LedgerEvent:
    return LedgerEvent(
        server="us-snd",
        clinic_id="c-1",
        event_id=event_id,
        event_type="order.placed",
        created_at=more.get("created_at"),
    )


def test_an_event_is_added_once_requested_and_done(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.sqlite") as store:
        assert store.events.unknown_ids("us-snd", "c-1", ["b", "a", "b"]) == ["b", "a"]
        assert store.events.record([_event("a", created_at="2026-11-02"), _event("b", created_at="2026-11-01")]) == 2
        assert store.events.record([_event("a"), _event("c", created_at="2026-11-03")]) == 1
        assert store.events.unknown_ids("us-snd", "c-1", ["d", "a"]) == ["d"]
        assert store.events.unknown_ids("us-snd", "c-2", ["a"]) == ["a"]
        assert store.events.unknown_ids("ca-snd", "c-1", ["a"]) == ["a"]
        store.events.mark_run_requested("us-snd", "c-1", ["a", "b"], "run-1")
        assert [(event.event_id, event.asked_run) for event in store.events.pending("us-snd", "c-1")] == [
            ("b", "run-1"),
            ("a", "run-1"),
            ("c", None),
        ]
        store.events.mark_processed("us-snd", "c-1", ["a", "b"])
        assert [event.event_id for event in store.events.pending("us-snd", "c-1", limit=5)] == ["c"]


def test_many_events_at_once(tmp_path: Path) -> None:
    ids = [f"e-{number}" for number in range(3000)]
    with StateStore(tmp_path / "state.sqlite") as store:
        assert store.events.record(_event(event_id) for event_id in ids[::2]) == 1500
        assert store.events.unknown_ids("us-snd", "c-1", ids) == ids[1::2]
        store.events.mark_processed("us-snd", "c-1", ids)
        assert store.events.pending("us-snd", "c-1") == []


def test_the_time_of_the_ledger_is_the_datas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", "2031-01-01T00:00:00Z")
    with StateStore(tmp_path / "state.sqlite") as store:
        store.events.record([_event("a")])
        seen = store.events.pending("us-snd", "c-1")[0].seen_at
    assert seen is not None
    assert seen.isoformat() == "2031-01-01T00:00:00+00:00"


def test_feed_positions(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.sqlite") as store:
        assert store.feeds.position("us-snd", "c-1", "order_events") is None
        store.feeds.set_position("us-snd", "c-1", "order_events", "2026-11-01")
        store.feeds.set_position("us-snd", "c-1", "order_events", "2026-11-02")
        assert store.feeds.position("us-snd", "c-1", "order_events") == "2026-11-02"
        assert store.feeds.position("ca-snd", "c-1", "order_events") is None


def test_what_is_not_available_is_remembered_for_the_day(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.sqlite") as store:
        store.refusals.record(_MAPLE, "products", date(2026, 11, 22), "403")
        store.refusals.record(_MAPLE, "products", date(2026, 11, 22), "403 again")
        assert store.refusals.reason(_MAPLE, "products", date(2026, 11, 22)) == "403 again"
        assert store.refusals.reason(_MAPLE, "products", date(2026, 11, 23)) is None
        assert store.refusals.reason(_MAPLE, "brands", date(2026, 11, 22)) is None


def test_a_directory_is_of_one_kind_for_ever(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.sqlite") as store:
        store.facts.set_environment_kind("sandbox")
        store.facts.set_environment_kind("sandbox")
        with pytest.raises(ConfigurationError, match="FULLSCRIPT_DATA_DIR"):
            store.facts.set_environment_kind("production")
        assert store.facts.get("kind") == "sandbox"
        assert store.facts.get("made_by_demo") is None
        store.facts.set("made_by_demo", "yes")
        assert store.facts.get("made_by_demo") == "yes"


def test_a_new_production_directory_refuses_a_key_that_can_be_guessed(tmp_path: Path) -> None:
    for name, keys in (("one", "letmein"), ("list", f"{KEY},letmein")):
        with StateStore(tmp_path / f"{name}.sqlite", keys) as store:
            with pytest.raises(ConfigurationError, match=r"key.* can be guessed.*fullscript-pipeline keys new"):
                store.facts.set_environment_kind("production")
            assert store.facts.get("kind") is None
    with StateStore(tmp_path / "good.sqlite", KEY) as store:
        store.facts.set_environment_kind("production")
    with StateStore(tmp_path / "sandbox.sqlite", "letmein") as store:
        store.facts.set_environment_kind("sandbox")


def test_a_production_directory_of_before_still_opens_under_a_key_that_can_be_guessed(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.sqlite", "letmein") as store:
        store.facts.set("kind", "production")
        store.facts.set_environment_kind("production")
