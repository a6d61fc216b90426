"""Handles events: reads exactly the objects they are about, and tells whose adherence is touched.

Two commits: the events with what their details say (so that a killed run never asks for them again), then every touched
object in one transaction. A payload is only a hint: what is stored is what the server answers now, so neither order nor
repetition of events can change the outcome. What does not belong here: the marts and pages (the caller rebuilds them
for the touched patients).
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
from fullscript_pipeline.extraction.pulls import MOST_DETAILS, missing_variants
from fullscript_pipeline.extraction.pulls import event_feeds as feeds
from fullscript_pipeline.ids import UNREQUESTABLE, usable_id
from fullscript_pipeline.refresh import product_resolution
from fullscript_pipeline.refresh.consequences import fetch_consequences
from fullscript_pipeline.refresh.cost_plan import choose_strategy, family_of, is_product_event
from fullscript_pipeline.refresh.feed_polling import MOST_IDS
from fullscript_pipeline.refresh.object_fetch import ObjectFetcher
from fullscript_pipeline.refresh.stored_counts import count_stored
from fullscript_pipeline.state import LedgerEvent, StateStore
from fullscript_pipeline.warehouse import Line, Warehouse
from fullscript_pipeline.warehouse.event_log import READABLE_AFTER

INCOMPLETE_LISTS = "thin_lists"


@dataclass(frozen=True)
class RefreshResult:
    """What a refresh did, and the patients whose rows and pages are to be rebuilt."""

    event_ids: tuple[str, ...] = ()
    warehouse: Warehouse | None = None
    reports: tuple[Report, ...] = ()
    patients: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests were asked."""
        return sum(report.requests for report in self.reports)


def handle_events(
    target: Target, session: ClinicSession, store: StateStore, event_ids: Iterable[str] | None = None
) -> RefreshResult:
    """Reads what these of the clinic's events are about (None: all that wait) unless that has been done.

    Afterwards the caller rebuilds the patients' rows and pages, then calls `handled`.
    """
    clinic, chosen_ids = session.clinic, None if event_ids is None else set(event_ids)
    close_answered_events(target.warehouse, store, clinic)
    waiting = store.pending_events(clinic.server, clinic.clinic_id)
    waiting = [event for event in waiting if chosen_ids is None or event.event_id in chosen_ids]
    waiting = _drop_relisted_events(target, store, session, waiting)[:MOST_IDS]
    if not waiting:
        return RefreshResult(patients=tuple(store.pending_page_rebuilds(clinic)))
    with target.warehouse.read() as con:
        strategy = choose_strategy(
            waiting, count_stored(con, clinic.clinic_id, _incomplete_lists(store, clinic.server)), target.day
        )
    if strategy.pulls_catalog:
        waiting = [event for event in waiting if not is_product_event(event)]
    events_report, waiting, patient_of, products_of = _store_events(target, session, store, waiting, strategy.details)
    with target.warehouse.read() as con:
        strategy = choose_strategy(
            waiting,
            count_stored(con, clinic.clinic_id, _incomplete_lists(store, clinic.server)),
            target.day,
            details_read=True,
        )
    known = {**strategy.known, "products": list(dict.fromkeys(products_of.values()))}
    fetcher, reports = ObjectFetcher(target, session, store), [events_report]
    fetcher.fetch_products(known["products"])
    fetcher.fetch_plans(known["plans"], patient_of)
    fetcher.fetch_objects("labs", known["labs"])
    if fetcher.fetch_orders(known["orders"], strategy.orders_from, _uncounted_event_ids(waiting, "orders")) == "thin":
        _record_incomplete_list(store, clinic.server, "orders")
    if fetcher.fetch_patients(known["patients"], list_all=strategy.lists_patients) == "thin":
        _record_incomplete_list(store, clinic.server, "patients")
        unnamed = [event for event in waiting if family_of(event) == "patients" and event.resource_id is None]
        second_report, learned, _, _ = _store_events(
            target, session, store, unnamed, [event.event_id for event in unnamed]
        )
        reports.append(second_report)
        fetcher.fetch_objects("patients", [event.resource_id for event in learned if event.resource_id])
    fetch_consequences(fetcher, waiting)
    reports.append(fetcher.commit())
    if known["plans"] or known["orders"] or strategy.orders_from:
        reports.append(missing_variants.pull_unknown_variants(target, session))
    patients = tuple(dict.fromkeys([*fetcher.affected_patient_ids(), *store.pending_page_rebuilds(clinic)]))
    families = [family_of(event) or "unknown" for event in waiting]
    counts = {family: families.count(family) for family in dict.fromkeys(families)}
    tried = tuple(event.event_id for event in waiting)
    return RefreshResult(tried, target.warehouse, tuple(reports), patients, counts)


def mark_refresh_done(store: StateStore, session: ClinicSession, refreshed: RefreshResult) -> None:
    """After everything is committed and written: nobody needs to look again at what the warehouse has answered; what
    could not be read is tried again."""
    clinic = session.clinic
    store.mark_pages_rebuilt(clinic, refreshed.patients)
    if refreshed.warehouse is None:
        return
    done = record_outcomes(refreshed.warehouse, store, clinic, refreshed.event_ids)
    mark_deliveries_handled(store, clinic.server, done.closed_ids)


def mark_deliveries_handled(store: StateStore, server: str, event_ids: Collection[str]) -> None:
    """Those of these events that came by webhook need no further look."""
    waiting = store.deliveries(["received"], with_body=False)
    store.mark_deliveries(
        (delivery for delivery in waiting if delivery.server == server and delivery.event_id in event_ids), "handled"
    )


def _drop_relisted_events(
    target: Target, store: StateStore, session: ClinicSession, waiting: Sequence[LedgerEvent]
) -> list[LedgerEvent]:
    """Without the product events that a list of the whole catalog has answered, long enough after them."""
    if not any(is_product_event(event) for event in waiting):
        return list(waiting)
    last = product_resolution.catalog_listed_at(target.warehouse, target.region)
    moot = {
        e.event_id for e in waiting if is_product_event(e) and last and e.seen_at and e.seen_at + READABLE_AFTER < last
    }
    store.close_events(session.clinic, moot, "relisted")
    return [event for event in waiting if event.event_id not in moot]


def _uncounted_event_ids(waiting: Sequence[LedgerEvent], family: str) -> list[str]:
    """Events of a family that name no object, when they are too many for their details to be read."""
    unnamed = [event.event_id for event in waiting if family_of(event) == family and event.resource_id is None]
    return unnamed if len(unnamed) > MOST_DETAILS else []


def _store_events(
    target: Target,
    session: ClinicSession,
    store: StateStore,
    waiting: Sequence[LedgerEvent],
    detailed: Sequence[str],
) -> tuple[Report, list[LedgerEvent], dict[str, str], dict[str, str]]:
    """Reads the details, resolves products, commits the events: from then on they wait for their objects.

    Returns the report, the events with what the details tell, the patients of plans as far as those do, and the
    products by event.
    """
    pull = Pull(target, "events_refresh")
    feeds.land_event_details(pull, session, detailed)
    details = feeds.landed_details(pull)
    parsed = {event_id: parse_event(line) for event_id, line in details.items()}
    patient_of = dict(pair for line in details.values() if (pair := _plan_and_patient(line)))
    product_by_event = product_resolution.product_ids_for_events(pull, session, target.warehouse, waiting, details)
    learned = [_with_detail(event, parsed.get(event.event_id)) for event in waiting]
    listed = [line_from_ledger(event) for event in waiting]
    report = feeds.load_events(pull, session, [], listed, product_by_event)
    store.record_events(learned)
    unreadable = [event_id for event_id, line in details.items() if has_unusable_object_id(orjson.loads(line.record))]
    store.close_events(session.clinic, unreadable, "unreadable", UNREQUESTABLE)
    unreadable += feeds.close_purged_events(pull, session, store)
    store.begin_try(session.clinic, [event.event_id for event in waiting], None)
    return report, [event for event in learned if event.event_id not in unreadable], patient_of, product_by_event


def _with_detail(event: LedgerEvent, detail: SeenEvent | None) -> LedgerEvent:
    """The event with what its detail says."""
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
    """Families whose lists were seen to come without what we need from this server."""
    return frozenset((store.get_fact(f"{INCOMPLETE_LISTS}:{server}") or "").split())


def _record_incomplete_list(store: StateStore, server: str, family: str) -> None:
    store.set_fact(f"{INCOMPLETE_LISTS}:{server}", " ".join(sorted(_incomplete_lists(store, server) | {family})))
