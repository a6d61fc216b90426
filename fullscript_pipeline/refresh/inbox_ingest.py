"""Moves deliveries from the webhook inbox to the event ledger. It sends no request and opens no DuckDB.

A payload is a hint: its object id saves reading the detail; its contents are never stored as data. What does not belong
here: verifying and storing payloads (`webhooks`), fetching objects (`event_handling`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fullscript_pipeline import clock
from fullscript_pipeline.extraction.event_proof import has_unusable_object_id, object_id_in
from fullscript_pipeline.ids import UNREQUESTABLE
from fullscript_pipeline.json_text import parse_json
from fullscript_pipeline.refresh.feed_polling import product_feed_clinic
from fullscript_pipeline.refresh.product_resolution import variant_hint
from fullscript_pipeline.state import Clinic, Delivery, LedgerEvent, StateStore

# Handled deliveries are kept as long as the vendor can show its own list of them.
KEEP_HANDLED = timedelta(days=35)
LAST_INGESTED = "webhooks_heard"
LAST_RECEIVED = "webhooks_last_received"


@dataclass(kw_only=True)
class IngestResult:
    """What was in the inbox: clinics with events to handle, and the number of unusable deliveries by reason."""

    clinics: dict[str, Clinic] = field(default_factory=dict)
    recorded: int = 0
    failed: dict[str, int] = field(default_factory=dict)


def ingest_inbox(store: StateStore) -> IngestResult:
    """Records every waiting delivery in the ledger. Marks at once those that are handled already or cannot be used."""
    known = {(clinic.server, clinic.clinic_id): clinic for clinic in store.clinics.all()}
    result = IngestResult()
    waiting = store.inbox.deliveries(["received"])
    _record_last_delivery(store, waiting)
    by_clinic: dict[Clinic, list[tuple[Delivery, LedgerEvent]]] = {}
    unusable: dict[str, list[Delivery]] = {}
    for delivery in waiting:
        match = _match_delivery(store, known, delivery)
        if isinstance(match, str):
            unusable.setdefault(match, []).append(delivery)
        else:
            clinic, event = match
            by_clinic.setdefault(clinic, []).append((delivery, event))
    for reason, deliveries in unusable.items():
        store.inbox.mark(deliveries, "failed", reason)
        result.failed[reason] = len(deliveries)
    for clinic, pairs in by_clinic.items():
        result.recorded += store.events.record(event for _, event in pairs)
        done = store.events.processed_ids(clinic.server, clinic.clinic_id, [event.event_id for _, event in pairs])
        store.inbox.mark((delivery for delivery, event in pairs if event.event_id in done), "handled")
        if any(event.event_id not in done for _, event in pairs):
            result.clinics[clinic.clinic_key] = clinic
    store.inbox.purge(clock.real_now() - KEEP_HANDLED)
    return result


def unwrap_event(body: bytes) -> dict[str, Any] | None:
    """Returns the event of a payload, without its wrapper; None when there is none."""
    try:
        payload: Any = parse_json(body, strict=True)
    except ValueError:
        return None
    for wrapper in ("event_payload", "event"):
        if isinstance(payload, dict) and isinstance(payload.get(wrapper), dict):
            payload = payload[wrapper]
    return payload if isinstance(payload, dict) and payload.get("type") else None


def event_from_payload(
    record: Mapping[str, Any], *, server: str, clinic_id: str, event_id: str, delivered: bool
) -> LedgerEvent:
    """Returns what the ledger keeps of a payload. `delivered`: it is from the vendor's list of deliveries."""
    kind, created = str(record.get("type")), record.get("created_at")
    resource, is_lost = object_id_in(record), has_unusable_object_id(record)
    if resource is None and kind.startswith("product."):
        resource = variant_hint(record)
    return LedgerEvent(
        server=server,
        clinic_id=clinic_id,
        event_id=event_id,
        event_type=kind,
        resource_id=resource,
        created_at=str(created) if created else None,
        seen_by="delivery" if delivered else "webhook",
        outcome="unreadable" if is_lost else None,
        reason=UNREQUESTABLE if is_lost else None,
    )


def _match_delivery(
    store: StateStore, known: Mapping[tuple[str, str], Clinic], delivery: Delivery
) -> tuple[Clinic, LedgerEvent] | str:
    """Returns the clinic and the event, or why the delivery cannot be used, as a sentence without health data."""
    record = unwrap_event(delivery.body)
    if record is None:
        return "The body holds no event; compare it with the vendor's list of deliveries, then ignore it."
    # The clinic id may be beside the event instead of inside.
    clinic_id = str(record.get("clinic_id") or delivery.clinic_id or "") or _guess_clinic_id(
        store, known, delivery, record
    )
    clinic = known.get((delivery.server, clinic_id))
    if clinic is None:
        which = f"clinic {clinic_id}" if clinic_id else "any clinic that could be determined"
        return f"It is about {which}, which is not connected on {delivery.server}; connect it, then replay."
    return clinic, event_from_payload(
        record, server=delivery.server, clinic_id=clinic_id, event_id=delivery.event_id, delivered=False
    )


def _guess_clinic_id(
    store: StateStore, known: Mapping[tuple[str, str], Clinic], delivery: Delivery, record: Mapping[str, Any]
) -> str:
    """Returns the clinic of an event that names none: for a product the one that polls the product feed, else the only
    clinic, or the one whose feed shows the event; '' when it cannot be known yet."""
    ours = [clinic_id for server, clinic_id in known if server == delivery.server]
    if str(record["type"]).startswith("product."):
        return product_feed_clinic(store, delivery.server) or next(iter(ours), "")
    if len(ours) == 1:
        return ours[0]
    return next(
        (clinic_id for clinic_id in ours if store.events.get(delivery.server, clinic_id, delivery.event_id)), ""
    )


def _record_last_delivery(store: StateStore, waiting: Iterable[Delivery]) -> None:
    """Records when, by the data's clock, a server's last webhook was ingested."""
    newest: dict[str, str] = {}
    for delivery in waiting:
        if delivery.received_at:
            newest[delivery.server] = max(newest.get(delivery.server, ""), delivery.received_at.isoformat())
    for server, received_at in newest.items():
        if received_at > (store.feeds.position(server, "", LAST_RECEIVED) or ""):
            store.feeds.set_position(server, "", LAST_RECEIVED, received_at)
            store.feeds.set_position(server, "", LAST_INGESTED, clock.now().isoformat())
