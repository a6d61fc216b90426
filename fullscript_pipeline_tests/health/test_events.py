"""What doctor says of event feeds and webhooks: the same as the checks of the UI."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.extraction.pulls.event_feeds import feeds_of
from fullscript_pipeline.health import Finding
from fullscript_pipeline.health.events import check_events
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import Delivery, LedgerEvent, StateStore

NOW = "2026-11-22T12:00:00+00:00"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StateStore]:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FULLSCRIPT_NOW", NOW)
    with StateStore(tmp_path / "state.sqlite") as opened:
        opened.clinics.register("us-snd", "c1", "us", "Elm")
        yield opened


def _found(store: StateStore) -> dict[str, Finding]:
    return {one.id: one for one in check_events(load_settings(), store)}


@pytest.mark.parametrize(("days", "state", "code"), [(0, "pass", 0), (6, "pass", 0), (7, "warn", 0), (21, "fail", 1)])
def test_feeds_that_nobody_reads_are_told(store: StateStore, days: int, state: str, code: int) -> None:
    assert "clinic.elm.events" not in _found(store), "never pulled is another finding"
    for feed in feeds_of("us"):
        store.feeds.set_position("us-snd", "c1", feed, (clock.now() - timedelta(days=days)).date().isoformat())
    one = _found(store)["clinic.elm.events"]
    assert (one.state, one.exit_code) == (state, code)
    assert ("`fullscript-pipeline refresh`" in one.what) == (state != "pass")


def test_webhooks_that_are_not_heard_are_told_where_they_are_set_up(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = clock.now() - timedelta(hours=2)
    store.events.record(
        [LedgerEvent(server="us-snd", clinic_id="c1", event_id="e1", event_type="order.placed", seen_at=seen)]
    )
    assert set(_found(store)) == {"webhooks.inbox"}, "the feeds are enough"
    monkeypatch.setenv("FULLSCRIPT_US_SND_WEBHOOK_CHALLENGE_TOKEN", "t")
    monkeypatch.setenv("FULLSCRIPT_US_SND_WEBHOOK_SIGNATURE_KEYS", "k")
    one = _found(store)["webhooks.heard"]
    assert (one.state, one.exit_code) == ("warn", 0)
    assert one.what.startswith("elm: no valid token")


def _happened(store: StateStore, *kinds: str | None) -> None:
    store.events.record(
        LedgerEvent(
            server="us-snd",
            clinic_id="c1",
            event_id=f"e{number}",
            event_type=kind,
            resource_id=None,
            created_at=f"2026-11-{number + 10}T08:00:00Z",
        )
        for number, kind in enumerate(kinds)
    )


def test_a_clinic_that_withdrew_its_key_is_named_with_what_to_do(store: StateStore) -> None:
    _happened(store, "clinic_key.activated", "order.placed", None)
    assert "clinic.elm.integration" not in _found(store)
    store.events.record(
        [
            LedgerEvent(
                server="us-snd",
                clinic_id="c1",
                event_id="r1",
                event_type="clinic_key.revoked",
                resource_id=None,
                created_at="2026-11-20T08:00:00Z",
            )
        ]
    )
    one = _found(store)["clinic.elm.integration"]
    assert (one.state, one.exit_code) == ("warn", 0)
    assert "elm: the clinic withdrew this app's integration key on 2026-11-20" in one.what
    assert "`fullscript-pipeline disconnect elm`" in one.what
    store.events.record(
        [
            LedgerEvent(
                server="us-snd",
                clinic_id="c1",
                event_id="a2",
                event_type="clinic_key.activated",
                resource_id=None,
                created_at="2026-11-21T08:00:00Z",
            )
        ]
    )
    assert "clinic.elm.integration" not in _found(store)


def test_an_undocumented_type_is_told_and_a_strange_one_not_repeated(store: StateStore) -> None:
    _happened(store, "order.placed", "lab_order.updated", "clinic_key.activated", None)
    assert "clinic.elm.event_types" not in _found(store)
    _happened(store, *[None] * 4, "patient.merged", "practitioner.moved", "practitioner.moved", "Jane Doe, 12 Elm Rd")
    told = _found(store)["clinic.elm.event_types"].what
    assert "1 event of a type that Fullscript's documentation does not have (patient.merged); it was read" in told
    assert "2 events of a type that Fullscript's documentation does not have (practitioner.moved); nothing" in told
    assert "no plain name" in told
    assert "Jane" not in told


def test_events_that_wait_for_their_object_are_told_when_their_tries_are_over(store: StateStore) -> None:
    clinic = store.clinics.find("elm")
    seen = clock.now() - timedelta(minutes=59)
    store.events.record(
        [
            LedgerEvent(
                server="us-snd",
                clinic_id="c1",
                event_id="e1",
                event_type="order.placed",
                resource_id="o1",
                seen_at=seen,
            )
        ]
    )
    store.tries.postpone(clinic, ["e1"], "its object could not be read yet")
    assert "clinic.elm.unhandled_events" not in _found(store), "it is tried again soon"
    old = clock.now() - timedelta(minutes=61)
    store.events.record(
        [
            LedgerEvent(
                server="us-snd", clinic_id="c1", event_id="e2", event_type="order.placed", resource_id="o2", seen_at=old
            )
        ]
    )
    store.tries.postpone(clinic, ["e2"], "its object could not be read yet")
    assert _found(store)["clinic.elm.unhandled_events"].what.startswith("2 events since 2026-11-22 10:59 UTC")


def test_events_about_what_is_refused_are_told_with_the_reason(store: StateStore) -> None:
    clinic = store.clinics.find("elm")
    store.events.record(
        [LedgerEvent(server="us-snd", clinic_id="c1", event_id="e1", event_type="order.placed", resource_id="o1")]
    )
    store.tries.close(clinic, ["e1"], "unreadable", "the server refuses its object (403)")
    told = _found(store)["clinic.elm.unhandled_events"]
    assert told.state == "warn"
    assert "1 event cannot be read: the server refuses its object (403)" in told.what


def test_an_inbox_that_nobody_empties_or_that_is_full_is_told(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _found(store)["webhooks.inbox"].state == "pass"
    late = clock.real_now() - timedelta(hours=2)
    store.inbox.keep_deliveries([Delivery(server="us-snd", event_id="e1", body=b"x" * 900_000, received_at=late)])
    told = _found(store)["webhooks.inbox"]
    assert (told.state, told.exit_code) == ("warn", 0)
    assert "1 delivery waits since " in told.what
    assert "`fullscript-pipeline refresh`" in str(told.fix)
    monkeypatch.setenv("FULLSCRIPT_WEBHOOK_INBOX_MB", "1")
    store.inbox.keep_deliveries([Delivery(server="us-snd", event_id="e2", body=b"x" * 200_000, received_at=late)])
    told = _found(store)["webhooks.inbox"]
    assert (told.state, told.exit_code) == ("fail", 1)
    assert "1.0 MB: it is full, and the vendor gets 503" in told.what
