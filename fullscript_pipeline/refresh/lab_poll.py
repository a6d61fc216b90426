"""Polls the states of lab orders that may still change: most of their changes raise no event.

Like a poll of the feeds it lists, compares with the state store and opens no DuckDB. The refresh that follows fetches
the changed lab orders. What does not belong here: the feeds (`feed_polling`), lab orders after an order or a plan
(`consequences`).
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from math import ceil
from typing import Any, TypeVar

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef, ClinicSession, NotFound, RequestRefused, ScopeError
from fullscript_pipeline.extraction.engine import Target, in_parallel
from fullscript_pipeline.extraction.pulls import patient_id_of
from fullscript_pipeline.refresh.cost_plan import PAGE
from fullscript_pipeline.refresh.object_fetch import ObjectFetcher
from fullscript_pipeline.regions import REGIONS_WITH_LABS
from fullscript_pipeline.resources.lab_orders import state_word
from fullscript_pipeline.state import Clinic, StateStore
from fullscript_pipeline.warehouse import Warehouse

EVERY = timedelta(minutes=15)
# Only an amendment can follow, and that raises an event.
FINAL = frozenset({"interpretation_shared"})
_POLLED = "labs_polled_real"
_STORED = "labs_stored"
T = TypeVar("T")


def watch_labs(warehouse: Warehouse, store: StateStore, clinic: ClinicRef) -> None:
    """Stores the states of the clinic's lab orders. Call it whenever some were read."""
    if clinic.region not in REGIONS_WITH_LABS:
        return
    with warehouse.read() as con:
        rows = con.execute(
            "SELECT lab_order_id, coalesce(state, '') FROM core.lab_orders WHERE clinic_id = ? AND removed_at IS NULL",
            [clinic.clinic_id],
        ).fetchall()
    store.labs.watch(clinic, {lab: state for lab, state in rows if state not in FINAL})
    store.feeds.set_position(clinic.server, clinic.clinic_id, _STORED, str(len(rows)))


def lab_poll_cost(store: StateStore, clinic: ClinicRef) -> int:
    """Returns how many requests a poll of the clinic takes; 0: no lab order may change."""
    watched = len(store.labs.watched(clinic))
    return min(watched, _pages(store, clinic)) if clinic.region in REGIONS_WITH_LABS else 0


def choose_lab_polls(store: StateStore, clinics: Sequence[Clinic], feeds: int) -> dict[str, int]:
    """Returns the clinics whose lab orders are polled with this poll of `feeds` feeds, longest unpolled first, with the
    requests of each.

    A clinic is polled at most every quarter of an hour. Together they send at most a tenth of the poll's own requests,
    but at least one clinic is polled.
    """
    latest = (clock.real_now() - EVERY).isoformat()
    last = {clinic: store.feeds.position(clinic.server, clinic.clinic_id, _POLLED) or "" for clinic in clinics}
    chosen: dict[str, int] = {}
    for clinic in sorted(clinics, key=lambda clinic: last[clinic]):
        cost = lab_poll_cost(store, clinic) if last[clinic] <= latest else 0
        if cost and (not chosen or sum(chosen.values()) + cost <= feeds / 10):
            chosen[clinic.clinic_key] = cost
    return chosen


def poll_labs(session: ClinicSession, store: StateStore) -> int:
    """Records the lab orders whose state differs from when they were last read. Returns their number."""
    clinic = session.clinic
    watched = store.labs.watched(clinic)
    if not lab_poll_cost(store, clinic):
        return 0
    store.feeds.set_position(clinic.server, clinic.clinic_id, _POLLED, clock.real_now().isoformat())
    try:
        rows = _listed(session) if _pages(store, clinic) <= len(watched) else _each(session, list(watched))
        states = {str(row["id"]): state for row in rows if (state := _state_of(row)) and row.get("id")}
    except (ScopeError, NotFound, RequestRefused):
        return 0
    moved = [
        lab for lab, state in states.items() if state != watched.get(lab) and (lab in watched or state not in FINAL)
    ]
    store.labs.mark_moved(clinic, moved)
    return len(moved)


def fetch_moved_labs(target: Target, session: ClinicSession, store: StateStore) -> int:
    """Fetches the lab orders whose state a poll found changed, and queues their patients' pages. Returns their
    number."""
    clinic = session.clinic
    moved = store.labs.moved(clinic)
    if not moved:
        return 0
    fetcher = ObjectFetcher(target, session, store)
    fetcher.fetch_objects("labs", moved)
    fetcher.fetch_missing_patients()
    fetcher.queue_page_rebuilds(
        [patient for line in fetcher.pull.file.lines("lab_order") if (patient := patient_id_of(line))]
    )
    fetcher.commit()
    return len(moved)


def _listed(session: ClinicSession) -> Iterator[dict[str, Any]]:
    for page in session.pages("lab_orders"):
        yield from page.records


def _each(session: ClinicSession, labs: Sequence[str]) -> Iterator[dict[str, Any]]:
    def read(lab: str) -> dict[str, Any]:
        try:
            return dict(session.fetch_object("lab_order", {"id": lab}).record)
        except NotFound:
            return {}

    return iter(in_parallel(read, labs))


def _state_of(row: dict[str, Any]) -> str:
    return state_word(str(row.get("state") or row.get("status") or ""))


def _pages(store: StateStore, clinic: ClinicRef) -> int:
    return max(1, ceil(int(store.feeds.position(clinic.server, clinic.clinic_id, _STORED) or 0) / PAGE))
