"""Copies outcomes from the warehouse to the ledger: which events are closed, and when the others are retried.

The warehouse decides, in the transaction that stores the objects; the ledger follows. `ops.events` has a copy of each
outcome. What does not belong here: what answers an event (`warehouse.event_proof`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.event_types import event_family
from fullscript_pipeline.state import LedgerEvent, Outcome, StateStore
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline.warehouse.event_log import (
    EventTry,
    StoredOutcome,
    refuse_unavailable,
    stored_outcomes,
    write_event_tries,
)

_REASONS = {
    "refused": "the server refuses its object (403)",
    "quarantine": "its record is in quarantine; `quarantine list` says why",
    "unnamed": "it names no object",
    "unread": "its object could not be read yet",
}


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """The outcomes of the events of a refresh: ids by outcome, and those that wait for another try."""

    closed: Mapping[Outcome, Sequence[str]] = field(default_factory=dict)
    waiting: Sequence[str] = ()

    @property
    def closed_ids(self) -> frozenset[str]:
        return frozenset(event_id for ids in self.closed.values() for event_id in ids)


def close_answered_events(
    warehouse: Warehouse, store: StateStore, clinic: ClinicRef, own: Collection[str] = ()
) -> Outcomes:
    """Closes in the ledger the events that the warehouse has answered since their last try.

    `own`: the events of the caller. Those of another refresh are left to it, since it rebuilds their pages."""
    pending = {event.event_id: event for event in store.events.pending(clinic.server, clinic.clinic_id)}
    with warehouse.read() as con:
        answers_by_event = stored_outcomes(con, clinic.clinic_id, list(pending))
    answered = {
        event_id: answer
        for event_id, answer in answers_by_event.items()
        if answer.outcome and (event_id in own or _is_of_last_try(pending[event_id], answer))
    }
    closed: dict[Outcome, list[str]] = {}
    for event_id, answer in answered.items():
        closed.setdefault(cast("Outcome", answer.outcome), []).append(event_id)
    _store_tries(
        warehouse, clinic, [_make_try(pending[event_id], answer.outcome) for event_id, answer in answered.items()]
    )
    for outcome, ids in closed.items():
        store.tries.close(clinic, ids, outcome, _REASONS["refused"] if outcome == "unreadable" else None)
    return Outcomes(closed=closed)


def record_outcomes(warehouse: Warehouse, store: StateStore, clinic: ClinicRef, tried: Collection[str]) -> Outcomes:
    """Closes the tried events that are answered, and postpones the others. Call it after a refresh."""
    done = close_answered_events(warehouse, store, clinic, tried)
    pending = store.events.pending(clinic.server, clinic.clinic_id)
    left = [event for event in pending if event.event_id in tried]
    with warehouse.read() as con:
        answers_by_event = stored_outcomes(con, clinic.clinic_id, [event.event_id for event in left])
    by_reason: dict[str, list[str]] = {}
    for event in left:
        by_reason.setdefault(_REASONS[_waiting_reason(answers_by_event.get(event.event_id))], []).append(event.event_id)
    for reason, ids in by_reason.items():
        store.tries.postpone(clinic, ids, reason)
    again = {event.event_id: event for event in store.events.pending(clinic.server, clinic.clinic_id)}
    _store_tries(
        warehouse, clinic, [_make_try(again[event.event_id], None) for event in left if event.event_id in again]
    )
    return Outcomes(closed=done.closed, waiting=[event.event_id for event in left])


def record_pull_outcomes(warehouse: Warehouse, store: StateStore, clinic: ClinicRef) -> Outcomes:
    """Records outcomes at the end of a clinic's daily pull, which tried all waiting events but those of products."""
    with warehouse.write() as con:
        refuse_unavailable(con, clinic.clinic_id)
    pending = store.events.pending(clinic.server, clinic.clinic_id)
    tried = [event.event_id for event in pending if event.last_try_at and not _is_of_product(event)]
    return record_outcomes(warehouse, store, clinic, tried)


def _is_of_product(event: LedgerEvent) -> bool:
    family = event_family(event.event_type)
    return family.name == "products" if family else event.feed == "product_events"


def _is_of_last_try(event: LedgerEvent, answer: StoredOutcome) -> bool:
    """Whether the answer is of the last try, not of an earlier one."""
    return event.last_try_at is not None and answer.last_try_at is not None and answer.last_try_at >= event.last_try_at


def _waiting_reason(answer: StoredOutcome | None) -> str:
    if answer is None or answer.object_id is None:
        return "unnamed"
    return "quarantine" if answer.is_in_quarantine else "unread"


def _make_try(event: LedgerEvent, outcome: str | None) -> EventTry:
    attempts = event.attempts + (outcome is not None)
    reason = _REASONS["refused"] if outcome == "unreadable" else None if outcome else event.reason
    next_try_at = None if outcome else event.next_try_at
    return EventTry(
        event_id=event.event_id,
        event_type=event.event_type,
        seen_at=event.seen_at,
        attempts=attempts,
        last_try_at=event.last_try_at,
        next_try_at=next_try_at,
        outcome=outcome,
        reason=reason,
    )


def _store_tries(warehouse: Warehouse, clinic: ClinicRef, tries: Sequence[EventTry]) -> None:
    if tries:
        with warehouse.write() as con:
            write_event_tries(con, clinic.clinic_id, tries)
