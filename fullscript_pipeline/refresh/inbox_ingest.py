"""From the webhook inbox to the ledger: which clinic and object a payload is about. Asks nothing, opens no DuckDB.

A payload is a hint: its id saves the detail, its contents are never stored as data. What does not belong here: keeping
and verifying payloads (`webhooks`), reading objects (`event_handling`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fullscript_pipeline import clock
from fullscript_pipeline.extraction.event_proof import has_unusable_object_id, object_id_in
from fullscript_pipeline.ids import UNREQUESTABLE
from fullscript_pipeline.json_text import parse_json
from fullscript_pipeline.refresh.feed_polling import speaker
from fullscript_pipeline.refresh.product_resolution import hint_of
from fullscript_pipeline.state import Clinic, Delivery, LedgerEvent, StateStore

# Handled deliveries are kept as long as the vendor can show its own list of them.
KEEP_HANDLED = timedelta(days=35)
HEARD = "webhooks_heard"
LAST_RECEIVED = "webhooks_last_received"


@dataclass
class Drained:
    """What was in the inbox: clinics with something to handle, and what could not be used, in words."""

    clinics: dict[str, Clinic] = field(default_factory=dict)
    noted: int = 0
    failed: dict[str, int] = field(default_factory=dict)


def drain(store: StateStore) -> Drained:
    """Notes every waiting delivery in the ledger; settles at once what is handled already or cannot be used."""
    known = {(clinic.server, clinic.clinic_id): clinic for clinic in store.clinics()}
    drained = Drained()
    waiting = store.deliveries(["received"])
    _note_heard(store, waiting)
    told: dict[Clinic, list[tuple[Delivery, LedgerEvent]]] = {}
    unusable: dict[str, list[Delivery]] = {}
    for delivery in waiting:
        found = _understood(store, known, delivery)
        if isinstance(found, str):
            unusable.setdefault(found, []).append(delivery)
        else:
            clinic, event = found
            told.setdefault(clinic, []).append((delivery, event))
    for reason, some in unusable.items():
        store.mark_deliveries(some, "failed", reason)
        drained.failed[reason] = len(some)
    for clinic, pairs in told.items():
        drained.noted += store.record_events(event for _, event in pairs)
        done = store.processed_events(clinic.server, clinic.clinic_id, [event.event_id for _, event in pairs])
        store.mark_deliveries((delivery for delivery, event in pairs if event.event_id in done), "handled")
        if any(event.event_id not in done for _, event in pairs):
            drained.clinics[clinic.clinic_key] = clinic
    store.purge_deliveries(clock.real_now() - KEEP_HANDLED)
    return drained


def event_in(body: bytes) -> dict[str, Any] | None:
    """The event of a payload in any of its wrappings; None when there is none."""
    try:
        found: Any = parse_json(body, strict=True)
    except ValueError:
        return None
    for wrapper in ("event_payload", "event"):
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    return found if isinstance(found, dict) and found.get("type") else None


def noted_event(
    record: Mapping[str, Any], *, server: str, clinic_id: str, event_id: str, delivered: bool
) -> LedgerEvent:
    """What the ledger keeps of a payload. `delivered`: it is from the vendor's list of deliveries."""
    kind, created = str(record.get("type")), record.get("created_at")
    resource, is_lost = object_id_in(record), has_unusable_object_id(record)
    if resource is None and kind.startswith("product."):
        resource = hint_of(record)
    return LedgerEvent(
        server,
        clinic_id,
        event_id,
        kind,
        resource,
        str(created) if created else None,
        seen_by="delivery" if delivered else "webhook",
        outcome="unreadable" if is_lost else None,
        reason=UNREQUESTABLE if is_lost else None,
    )


def _understood(
    store: StateStore, known: Mapping[tuple[str, str], Clinic], delivery: Delivery
) -> tuple[Clinic, LedgerEvent] | str:
    """The clinic and the event; or why it cannot be used, as a sentence without health data."""
    record = event_in(delivery.body)
    if record is None:
        return "The body holds no event; look at it with the vendor's list of deliveries, then ignore it."
    # It may stand around the event instead of in it.
    clinic_id = str(record.get("clinic_id") or delivery.clinic_id or "") or _nameless(store, known, delivery, record)
    clinic = known.get((delivery.server, clinic_id))
    if clinic is None:
        which = f"clinic {clinic_id}" if clinic_id else "any clinic that could be asked"
        return f"It is about {which}, which is not connected on {delivery.server}; connect it, then replay."
    return clinic, noted_event(
        record, server=delivery.server, clinic_id=clinic_id, event_id=delivery.event_id, delivered=False
    )


def _nameless(
    store: StateStore, known: Mapping[tuple[str, str], Clinic], delivery: Delivery, record: Mapping[str, Any]
) -> str:
    """Whose event it is that names no clinic: a product's is the region's; else the only clinic's, or the one whose
    feed shows it too; '' when nobody can tell (a feed will)."""
    ours = [clinic_id for server, clinic_id in known if server == delivery.server]
    if str(record["type"]).startswith("product."):
        return speaker(store, delivery.server) or next(iter(ours), "")
    if len(ours) == 1:
        return ours[0]
    return next((one for one in ours if store.event(delivery.server, one, delivery.event_id)), "")


def _note_heard(store: StateStore, waiting: Iterable[Delivery]) -> None:
    """When, by the data's clock, a server's webhooks were last heard."""
    newest: dict[str, str] = {}
    for delivery in waiting:
        if delivery.received_at:
            newest[delivery.server] = max(newest.get(delivery.server, ""), delivery.received_at.isoformat())
    for server, received_at in newest.items():
        if received_at > (store.cursor(server, "", LAST_RECEIVED) or ""):
            store.set_cursor(server, "", LAST_RECEIVED, received_at)
            store.set_cursor(server, "", HEARD, clock.now().isoformat())
