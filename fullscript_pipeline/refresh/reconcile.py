"""Compares the ledger once an hour with the feeds and the vendor's list of deliveries.

Both are read to the end with each clinic's own token. A missing event is recorded like any new one, so the next refresh
fetches its object. The result is stored per clinic, for the checks. What does not belong here: why webhooks are missing
(`webhook_diagnosis`).
"""

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef, ClinicSession, NotFound, RequestRefused, ScopeError
from fullscript_pipeline.extraction.pulls import record_feed_gap
from fullscript_pipeline.ids import first_usable
from fullscript_pipeline.refresh.feed_polling import has_been_pulled, polled_feeds, record_new_events
from fullscript_pipeline.refresh.inbox_ingest import event_from_payload, unwrap_event
from fullscript_pipeline.state import LedgerEvent, StateStore

EVERY = timedelta(hours=1)
# How far back deliveries are read: the sender gives up after six and a half hours, and the filter is by day.
DELIVERY_DAYS = timedelta(days=2)
# After a longer pause: everything that the vendor can still list.
REACH = timedelta(days=30)
_FEED = "webhook_deliveries"


@dataclass(kw_only=True)
class ReconcileResult:
    """The result of one clinic's reconcile. Times are ISO text by the data's clock. `answers` counts failed deliveries
    by the status that the vendor got ("none": no answer); `delivered_types`: event types that arrived."""

    at: str
    missing_in_feeds: int = 0
    missing_deliveries: int = 0
    deliveries: int = 0
    delivered: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    delivered_types: list[str] = field(default_factory=list)
    last_attempt_at: str | None = None
    last_success_at: str | None = None
    refused: str | None = None

    @property
    def missing(self) -> int:
        """Events that the ledger lacked."""
        return self.missing_in_feeds + self.missing_deliveries


def is_reconcile_due(store: StateStore, clinic: ClinicRef) -> bool:
    """Whether the last reconcile is an hour old, by real time."""
    last = store.feeds.position(clinic.server, clinic.clinic_id, "reconciled_real")
    # A future time means that the clock was set back since.
    return last is None or not timedelta() <= clock.real_now() - datetime.fromisoformat(last) < EVERY


def reconcile(session: ClinicSession, store: StateStore) -> ReconcileResult | None:
    """Compares feeds and deliveries with the ledger; None before the clinic's first pull.

    Raises the error of a feed that failed, when everything else is compared and recorded.
    """
    clinic = session.clinic
    if not has_been_pulled(store, clinic):
        return None
    outcome = last_reconcile(store, clinic) or ReconcileResult(at="")
    outcome.at, outcome.missing_in_feeds, outcome.missing_deliveries = clock.now().isoformat(), 0, 0
    record_feed_gap(store, session, clock.now().date())
    feeds = [*polled_feeds(store, clinic), "clinic_key_events"]
    outcome.missing_in_feeds, trouble = record_new_events(session, store, feeds, to_the_end=True)
    _read_deliveries(session, store, outcome)
    store.facts.set(_fact_name(clinic), orjson.dumps(asdict(outcome)).decode())
    store.feeds.set_position(clinic.server, clinic.clinic_id, "reconciled_real", clock.real_now().isoformat())
    if trouble is not None:
        raise trouble
    return outcome


def last_reconcile(store: StateStore, clinic: ClinicRef) -> ReconcileResult | None:
    """Returns the result of the clinic's last reconcile; None before the first."""
    text = store.facts.get(_fact_name(clinic))
    return ReconcileResult(**orjson.loads(text)) if text else None


def _read_deliveries(session: ClinicSession, store: StateStore, outcome: ReconcileResult) -> None:
    clinic, today = session.clinic, clock.now().date()
    if (refused := store.refusals.reason(clinic, _FEED, today)) is not None:
        outcome.refused = refused
        return
    position = store.feeds.position(clinic.server, clinic.clinic_id, _FEED)
    first = datetime.fromisoformat(position).date() - DELIVERY_DAYS if position else today - REACH
    rows: list[dict[str, Any]] = []
    try:
        for page in session.pages(_FEED, {}, {"attempted_at": f">{first}"}):
            rows += page.records
    except (ScopeError, NotFound, RequestRefused) as refusal:
        store.refusals.record(clinic, _FEED, today, str(refusal))
        outcome.refused = str(refusal)
        return
    outcome.refused = None
    _count_deliveries(outcome, rows)
    events = {event.event_id: event for row in rows if (event := _event_from_delivery(clinic, row)) is not None}
    unseen = store.events.unknown_ids(clinic.server, clinic.clinic_id, events)
    outcome.missing_deliveries = len(unseen)
    store.events.record(events.values())
    store.feeds.set_position(clinic.server, clinic.clinic_id, _FEED, clock.now().isoformat())


def _count_deliveries(outcome: ReconcileResult, rows: list[dict[str, Any]]) -> None:
    """Counts deliveries by event: an event may have several rows, one per attempt."""
    if not rows:
        outcome.deliveries = outcome.delivered = 0
        return
    arrived = [row for row in rows if _is_true(row.get("successfully_delivered"))]
    ids = {str(row.get("event_id")) for row in rows}
    failed = [row for row in rows if row not in arrived]
    outcome.deliveries = len(ids)
    outcome.delivered = len({str(row.get("event_id")) for row in arrived})
    outcome.answers = dict(
        Counter(
            str(row.get("response_status") or row.get("status_code") or row.get("status") or "none") for row in failed
        )
    )
    types = {str(event["type"]) for row in arrived if (event := _payload_event(row))}
    outcome.delivered_types = sorted({*outcome.delivered_types, *types})
    outcome.last_attempt_at = max((str(row.get("attempted_at") or "") for row in rows), default=None)
    outcome.last_success_at = max(
        (str(row.get("attempted_at") or "") for row in arrived), default=outcome.last_success_at
    )


def _event_from_delivery(clinic: ClinicRef, row: dict[str, Any]) -> LedgerEvent | None:
    """Returns the event of a delivery: from the payload if the row has it, else only the id, for its detail."""
    event = _payload_event(row)
    event_id = first_usable((row.get("event_id"), (event or {}).get("id")))
    if not event_id or str((event or row).get("clinic_id") or clinic.clinic_id) != clinic.clinic_id:
        return None
    if event is None:
        kind = row.get("event_type")
        return LedgerEvent(
            server=clinic.server,
            clinic_id=clinic.clinic_id,
            event_id=event_id,
            event_type=str(kind) if kind else None,
            seen_by="delivery",
        )
    return event_from_payload(
        event, server=clinic.server, clinic_id=clinic.clinic_id, event_id=event_id, delivered=True
    )


def _payload_event(row: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the event that a delivery carried, if the row has it. A row's own `type` may be anything."""
    for name in ("event_payload", "event", "payload"):
        payload = row.get(name)
        if payload and (event := unwrap_event(payload.encode() if isinstance(payload, str) else orjson.dumps(payload))):
            return event
    return None


def _is_true(value: object) -> bool:
    return str(value).strip().lower() in {"true", "t", "yes", "y", "on", "1"}


def _fact_name(clinic: ClinicRef) -> str:
    return f"reconciled:{clinic.server}:{clinic.clinic_id}"
