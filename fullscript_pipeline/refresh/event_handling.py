"""Handles events: fetches the objects that they are about, and returns the affected patients.

There are two commits: the events with their details (so that a run after a crash fetches no detail twice), then all
objects in one transaction. A payload is only a hint: the stored state always comes from a fresh read, so the order and
repetition of events change nothing. What does not belong here: marts and pages (the caller rebuilds them for the
affected patients).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.extraction.engine import Pull, Report, Target
from fullscript_pipeline.extraction.event_proof import (
    SeenEvent,
    close_answered_events,
    has_unusable_object_id,
    line_from_ledger,
    parse_event,
    record_outcomes,
)
from fullscript_pipeline.extraction.pulls import MOST_DETAILS, land_event_details, landed_details, missing_variants
from fullscript_pipeline.extraction.pulls import event_feeds as feeds
from fullscript_pipeline.ids import UNREQUESTABLE, usable_id
from fullscript_pipeline.refresh import product_resolution
from fullscript_pipeline.refresh.consequences import fetch_consequences
from fullscript_pipeline.refresh.cost_plan import RefreshStrategy, choose_strategy, family_of, is_product_event
from fullscript_pipeline.refresh.feed_polling import MOST_IDS
from fullscript_pipeline.refresh.object_fetch import ObjectFetcher
from fullscript_pipeline.refresh.stored_counts import count_stored
from fullscript_pipeline.state import LedgerEvent, StateStore
from fullscript_pipeline.warehouse import Line, Warehouse
from fullscript_pipeline.warehouse.event_log import READABLE_AFTER

INCOMPLETE_LISTS = "thin_lists"


@dataclass(frozen=True, kw_only=True)
class RefreshResult:
    """What a refresh did, and the patients whose rows and pages the caller has to rebuild."""

    event_ids: tuple[str, ...] = ()
    warehouse: Warehouse | None = None
    reports: tuple[Report, ...] = ()
    patients: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return sum(report.requests for report in self.reports)


@dataclass(frozen=True, kw_only=True)
class StoredEvents:
    """Events that were committed, with what their details say. A plan's patient and an event's product are in the maps
    when the details name them."""

    report: Report
    events: Sequence[LedgerEvent]
    patient_by_plan: Mapping[str, str]
    product_by_event: Mapping[str, str]

    def named_ids(self, strategy: RefreshStrategy) -> dict[str, Sequence[str]]:
        """Returns the ids of the objects to fetch, by family."""
        return {**strategy.known, "products": list(dict.fromkeys(self.product_by_event.values()))}


def handle_events(
    target: Target, session: ClinicSession, store: StateStore, event_ids: Iterable[str] | None = None
) -> RefreshResult:
    """Fetches and stores the objects of these events of the clinic (None: of all that wait).

    Afterwards the caller rebuilds the patients' rows and pages, then calls `mark_refresh_done`.
    """
    clinic = session.clinic
    waiting = _select_events(target, session, store, event_ids)
    if not waiting:
        return RefreshResult(patients=tuple(store.page_rebuilds.pending(clinic)))
    strategy = _choose_strategy(target, session, store, waiting)
    if strategy.pulls_catalog:
        waiting = [event for event in waiting if not is_product_event(event)]
    stored = _store_events(target, session, store, waiting, detailed=strategy.details)
    strategy = _choose_strategy(target, session, store, stored.events, details_read=True)
    fetcher = ObjectFetcher(target, session, store)
    reports = [stored.report, *_fetch_objects(fetcher, stored, strategy)]
    fetch_consequences(fetcher, stored.events)
    reports.append(fetcher.commit())
    if strategy.known["plans"] or strategy.known["orders"] or strategy.orders_from:
        reports.append(missing_variants.pull_unknown_variants(target, session))
    families = [family_of(event) or "unknown" for event in stored.events]
    return RefreshResult(
        event_ids=tuple(event.event_id for event in stored.events),
        warehouse=target.warehouse,
        reports=tuple(reports),
        patients=tuple(dict.fromkeys([*fetcher.affected_patient_ids(), *store.page_rebuilds.pending(clinic)])),
        counts={family: families.count(family) for family in dict.fromkeys(families)},
    )


def _select_events(
    target: Target, session: ClinicSession, store: StateStore, event_ids: Iterable[str] | None
) -> list[LedgerEvent]:
    """Returns the chosen events that still wait, at most `MOST_IDS`."""
    clinic, chosen_ids = session.clinic, None if event_ids is None else set(event_ids)
    close_answered_events(target.warehouse, store, clinic)
    pending = store.events.pending(clinic.server, clinic.clinic_id)
    waiting = [event for event in pending if chosen_ids is None or event.event_id in chosen_ids]
    return _drop_relisted_events(target, store, session, waiting)[:MOST_IDS]


def _choose_strategy(
    target: Target,
    session: ClinicSession,
    store: StateStore,
    events: Sequence[LedgerEvent],
    *,
    details_read: bool = False,
) -> RefreshStrategy:
    clinic = session.clinic
    with target.warehouse.read() as con:
        counts = count_stored(con, clinic.clinic_id, _incomplete_lists(store, clinic.server))
    return choose_strategy(events, counts, target.day, details_read=details_read)


def _fetch_objects(fetcher: ObjectFetcher, stored: StoredEvents, strategy: RefreshStrategy) -> list[Report]:
    """Fetches the objects of the events. Returns the reports of events whose details it had to read for that."""
    target, session, store = fetcher.target, fetcher.session, fetcher.store
    ids, server = stored.named_ids(strategy), session.clinic.server
    fetcher.fetch_products(ids["products"])
    fetcher.fetch_plans(ids["plans"], stored.patient_by_plan)
    fetcher.fetch_objects("labs", ids["labs"])
    unnamed_orders = _uncounted_event_ids(stored.events, "orders")
    if fetcher.fetch_orders(ids["orders"], strategy.orders_from, unnamed_orders) == "incomplete":
        _record_incomplete_list(store, server, "orders")
    if fetcher.fetch_patients(ids["patients"], list_all=strategy.lists_patients) != "incomplete":
        return []
    _record_incomplete_list(store, server, "patients")
    unnamed = [event for event in stored.events if family_of(event) == "patients" and event.resource_id is None]
    named = _store_events(target, session, store, unnamed, detailed=[event.event_id for event in unnamed])
    fetcher.fetch_objects("patients", [event.resource_id for event in named.events if event.resource_id])
    return [named.report]


def mark_refresh_done(store: StateStore, session: ClinicSession, refreshed: RefreshResult) -> None:
    """Closes the events that the warehouse has answered, and schedules the next try of the others.

    Call it when everything is committed and the pages are written."""
    clinic = session.clinic
    store.page_rebuilds.mark_done(clinic, refreshed.patients)
    if refreshed.warehouse is None:
        return
    done = record_outcomes(refreshed.warehouse, store, clinic, refreshed.event_ids)
    mark_deliveries_handled(store, clinic.server, done.closed_ids)


def mark_deliveries_handled(store: StateStore, server: str, event_ids: Collection[str]) -> None:
    """Marks the webhook deliveries of these events as handled."""
    waiting = store.inbox.deliveries(["received"], with_body=False)
    store.inbox.mark(
        (delivery for delivery in waiting if delivery.server == server and delivery.event_id in event_ids), "handled"
    )


def _drop_relisted_events(
    target: Target, store: StateStore, session: ClinicSession, waiting: Sequence[LedgerEvent]
) -> list[LedgerEvent]:
    """Drops product events that a later listing of the whole catalog has answered."""
    if not any(is_product_event(event) for event in waiting):
        return list(waiting)
    last = product_resolution.catalog_listed_at(target.warehouse, target.region)
    moot = {
        e.event_id for e in waiting if is_product_event(e) and last and e.seen_at and e.seen_at + READABLE_AFTER < last
    }
    store.tries.close(session.clinic, moot, "relisted")
    return [event for event in waiting if event.event_id not in moot]


def _uncounted_event_ids(waiting: Sequence[LedgerEvent], family: str) -> list[str]:
    """Returns the events of a family without an object, when they are too many to read their details."""
    unnamed = [event.event_id for event in waiting if family_of(event) == family and event.resource_id is None]
    return unnamed if len(unnamed) > MOST_DETAILS else []


def _store_events(
    target: Target,
    session: ClinicSession,
    store: StateStore,
    waiting: Sequence[LedgerEvent],
    *,
    detailed: Sequence[str],
) -> StoredEvents:
    """Fetches the details of `detailed`, finds the products, commits the events. Then they wait for their objects."""
    pull = Pull(target, "events_refresh")
    land_event_details(pull, session, detailed)
    details = landed_details(pull)
    parsed = {event_id: parse_event(line) for event_id, line in details.items()}
    patient_by_plan = dict(pair for line in details.values() if (pair := _plan_and_patient(line)))
    product_by_event = product_resolution.product_ids_for_events(pull, session, waiting, details)
    learned = [_with_detail(event, parsed.get(event.event_id)) for event in waiting]
    listed = [line_from_ledger(event) for event in waiting]
    report = feeds.load_events(pull, session, [], listed=listed, resources=product_by_event)
    store.events.record(learned)
    unreadable = [event_id for event_id, line in details.items() if has_unusable_object_id(orjson.loads(line.record))]
    store.tries.close(session.clinic, unreadable, "unreadable", UNREQUESTABLE)
    unreadable += feeds.close_purged_events(pull, session, store)
    store.tries.begin(session.clinic, [event.event_id for event in waiting], None)
    return StoredEvents(
        report=report,
        events=[event for event in learned if event.event_id not in unreadable],
        patient_by_plan=patient_by_plan,
        product_by_event=product_by_event,
    )


def _with_detail(event: LedgerEvent, detail: SeenEvent | None) -> LedgerEvent:
    """Returns the event with what its detail says."""
    if detail is None:
        return event
    return replace(
        event,
        event_type=detail.type or event.event_type,
        resource_id=detail.resource_id or event.resource_id,
        created_at=detail.created_at or event.created_at,
    )


def _plan_and_patient(line: Line) -> tuple[str, str] | None:
    data = orjson.loads(line.record).get("data")
    plan_of = data.get("treatment_plan", data) if isinstance(data, dict) else None
    patient = plan_of.get("patient") if isinstance(plan_of, dict) else None
    if not isinstance(plan_of, dict) or not isinstance(patient, dict):
        return None
    plan_id, patient_id = usable_id(plan_of.get("id")), usable_id(patient.get("id"))
    return (plan_id, patient_id) if plan_id and patient_id else None


def _incomplete_lists(store: StateStore, server: str) -> frozenset[str]:
    """Returns the families whose lists lack needed fields on this server."""
    return frozenset((store.facts.get(f"{INCOMPLETE_LISTS}:{server}") or "").split())


def _record_incomplete_list(store: StateStore, server: str, family: str) -> None:
    store.facts.set(f"{INCOMPLETE_LISTS}:{server}", " ".join(sorted(_incomplete_lists(store, server) | {family})))
