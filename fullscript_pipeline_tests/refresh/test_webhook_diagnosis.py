"""Webhooks that do not come: the documented cause is named from what the vendor shows."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.event_types import EVENT_FAMILIES
from fullscript_pipeline.refresh.inbox_ingest import LAST_INGESTED
from fullscript_pipeline.refresh.reconcile import ReconcileResult
from fullscript_pipeline.refresh.webhook_diagnosis import Evidence, diagnose, undelivered_webhooks
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import LedgerEvent, StateStore

NOW = "2026-11-22T12:00:00+00:00"
ALL = tuple(sorted({family.feed.scope for family in EVENT_FAMILIES if family.feed.scope}))
SEEN = ReconcileResult(at=NOW, deliveries=4, last_attempt_at="2026-11-22T11:00:00Z")


@pytest.mark.parametrize(
    ("silence", "word"),
    [
        (Evidence(types=("order.placed",), has_token=False, scopes=(), reconciled=None), "no valid token"),
        (
            Evidence(types=("order.placed",), has_token=True, scopes=("patients:read",), reconciled=None),
            "missing scope patients:order_history",
        ),
        (Evidence(types=("order.placed",), has_token=True, scopes=ALL, reconciled=None), "not known yet"),
        (Evidence(types=(), has_token=True, scopes=ALL, reconciled=replace(SEEN, refused="403")), "may not read"),
        (
            Evidence(types=(), has_token=True, scopes=ALL, reconciled=replace(SEEN, answers={"410": 1})),
            "disabled endpoint",
        ),
        (
            Evidence(
                types=(),
                has_token=True,
                scopes=ALL,
                reconciled=ReconcileResult(at=NOW, last_attempt_at="2026-11-19T01:00:00Z"),
            ),
            "disabled endpoint",
        ),
        (Evidence(types=(), has_token=True, scopes=ALL, reconciled=replace(SEEN, answers={"401": 4})), "wrong secret"),
        (
            Evidence(types=(), has_token=True, scopes=ALL, reconciled=replace(SEEN, answers={"none": 3, "503": 1})),
            "not reachable",
        ),
        (
            Evidence(
                types=(),
                has_token=True,
                scopes=ALL,
                reconciled=replace(SEEN, delivered=4, last_success_at=SEEN.last_attempt_at),
            ),
            "another receiver",
        ),
        (
            Evidence(types=("lab_order.updated",), has_token=True, scopes=ALL, reconciled=ReconcileResult(at=NOW)),
            "not subscribed",
        ),
    ],
)
def test_the_cause_is_one_that_the_vendor_documents(
    silence: Evidence, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", NOW)
    assert word in diagnose(silence)


def test_a_clinic_is_silent_only_when_feeds_show_what_no_webhook_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FULLSCRIPT_NOW", NOW)
    with StateStore(tmp_path / "state.sqlite") as store:
        clinic = store.clinics.register("us-snd", "c1", "us", "Elm")
        seen = clock.now() - timedelta(hours=2)
        store.events.record(
            [LedgerEvent(server="us-snd", clinic_id="c1", event_id="e1", event_type="order.placed", seen_at=seen)]
        )
        old = LedgerEvent(
            server="us-snd",
            clinic_id="c2",
            event_id="e0",
            event_type="order.placed",
            created_at="2026-11-22T09:59:59Z",
            seen_at=seen,
        )
        store.clinics.register("us-snd", "c2", "us", "Just looked at")
        store.events.record([old])
        assert undelivered_webhooks(load_settings(), store) == {}, "webhooks are not set up on this server"
        monkeypatch.setenv("FULLSCRIPT_US_SND_WEBHOOK_CHALLENGE_TOKEN", "t")
        monkeypatch.setenv("FULLSCRIPT_US_SND_WEBHOOK_SIGNATURE_KEYS", "k")
        assert list(undelivered_webhooks(load_settings(), store)) == [clinic.clinic_key]
        store.feeds.set_position("us-snd", "", LAST_INGESTED, (clock.now() - timedelta(hours=1)).isoformat())
        assert undelivered_webhooks(load_settings(), store) == {}
