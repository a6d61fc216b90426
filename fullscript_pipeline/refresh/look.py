"""Looks at a clinic's event feeds: which events are new. Lists only, never fetches a detail, never opens DuckDB."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.extraction.events import feeds_of, since
from fullscript_pipeline.state import LedgerEvent, StateStore

# A run that was asked for this long ago and has not handled its events is taken for lost.
ASK_AGAIN_AFTER = timedelta(minutes=15)
# Above this, a list of ids in a run's config is slower than pulling the whole cell.
MOST_IDS = 1000
# What a refresh acts on; other events only wait for the daily pull.
ACTED_ON = ("order.placed", "treatment_plan.", "patient.", "lab_order.")


@dataclass(frozen=True)
class Round:
    """What one look found: the events to handle, and a name for handling exactly these."""

    clinic_key: str
    event_ids: tuple[str, ...]

    @property
    def whole_cell(self) -> bool:
        """So much happened that the daily pull is cheaper."""
        return len(self.event_ids) > MOST_IDS

    @property
    def name(self) -> str:
        """The same events give the same name: asking twice starts one run."""
        return hashlib.sha256("\n".join(sorted(self.event_ids)).encode()).hexdigest()[:16]


def look(session: ClinicSession, store: StateStore) -> Round | None:
    """Notes new events in the ledger; returns what is to be handled now, None when that is nothing.

    The first look at a clinic that has never been pulled returns None: the daily pull comes first.
    """
    server, clinic_id = session.clinic.server, session.clinic.clinic_id
    if store.cursor(server, clinic_id, "order_events") is None:
        return None
    for feed in feeds_of(session.clinic.region):
        if feed == "product_events":
            continue
        listed = {event.event_id: event for event in _listed(session, store, feed)}
        unseen = store.unseen_events(server, clinic_id, listed)
        store.record_events(listed[event_id] for event_id in unseen)
    waiting = [event for event in store.pending_events(server, clinic_id) if _is_due(event)]
    if not waiting:
        return None
    return Round(session.clinic.clinic_key, tuple(event.event_id for event in waiting))


def asked(store: StateStore, session: ClinicSession, found: Round) -> None:
    """A run was asked for: its events wait for it."""
    run = f"{found.name}@{clock.real_now().isoformat()}"
    store.mark_asked(session.clinic.server, session.clinic.clinic_id, found.event_ids, run)


def _listed(session: ClinicSession, store: StateStore, feed: str) -> Iterator[LedgerEvent]:
    clinic = session.clinic
    try:
        for page in session.pages(feed, {}, since(store, session, feed)):
            for row in page.records:
                kind, created = row.get("type"), row.get("created_at")
                yield LedgerEvent(clinic.server, clinic.clinic_id, str(row["id"]), kind, None, created)
    except (ScopeError, NotFound):
        return


def _is_due(event: LedgerEvent) -> bool:
    if event.event_type is not None and not event.event_type.startswith(ACTED_ON):
        return False
    if event.asked_run is None:
        return True
    _, _, asked_at = event.asked_run.partition("@")
    return asked_at < (clock.real_now() - ASK_AGAIN_AFTER).isoformat()
