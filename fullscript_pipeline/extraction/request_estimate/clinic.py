"""The bill of a clinic's day, and of a backfill of orders.

What does not belong here: the catalog (`region`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date

import duckdb

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.extraction.engine import grant_view, ids_due_for_refetch
from fullscript_pipeline.extraction.pulls import (
    HEARD,
    OVERLAP,
    TESTS_SWEEP_DAYS,
    Window,
    daily_window,
    due_patients,
    feeds_of,
    sweep_window,
)
from fullscript_pipeline.extraction.request_estimate.estimate import (
    Ask,
    BillLine,
    Known,
    Pace,
    ask_nobody,
    last_pulls,
    pages,
)
from fullscript_pipeline.extraction.request_estimate.rules import lines_by_rule, patient_count
from fullscript_pipeline.plural import counted
from fullscript_pipeline.regions import REGIONS_WITH_LABS
from fullscript_pipeline.resources import ALL_RESOURCES
from fullscript_pipeline.resources.types import Resource
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.loading import View

_NO_LABS = "skipped: Fullscript has labs in the US only"


def plan_clinic(
    con: duckdb.DuckDBPyConnection | None,
    clinic: ClinicRef,
    day: date,
    pace: Pace = Pace(),  # noqa: B008 -- frozen
    *,
    store: StateStore | None = None,
    ask: Ask = ask_nobody,
    only: Collection[str] | None = None,
) -> list[BillLine]:
    """A clinic's day. `con` reads the warehouse, None while there is none; `only`: the steps that make these tables."""
    last = last_pulls(con, "clinic_id", clinic.clinic_id)
    known = Known(clinic.clinic_key, con, clinic, day, pace, store, ask, last)
    return [
        line
        for resource in ALL_RESOURCES
        if resource.partition == "clinic" and (only is None or set(resource.table_names) & set(only))
        for line in _lines(known, resource)
    ]


def _lines(known: Known, resource: Resource) -> Iterable[BillLine]:
    """What a pull of one resource needs: by its rule, or by the function of its name below."""
    if resource.estimate.rule != "computed":
        return lines_by_rule(known, resource)
    computed = _COMPUTED.get(resource.name)
    return computed(known) if computed else ()


def plan_order_days(con: duckdb.DuckDBPyConnection | None, clinic: ClinicRef, first: date, last: date) -> BillLine:
    """A backfill of orders: the pages that the stored orders of these days fill."""
    known = Known(clinic.clinic_key, con, clinic, last)
    rows = _stored_orders(known, Window(first, last))
    why = f"{rows:,} stored orders of these days and two around them" if rows else "no order of these days is stored"
    return known.line("orders_backfill", "GET /clinic/orders", pages(rows), why, at_least=True, table="orders")


def _patients(known: Known) -> Iterator[BillLine]:
    rows, why, sure = patient_count(known)
    listed = pages(rows)
    yield known.line("patients", "GET /clinic/patients", listed, why, at_least=not sure, listed_as="patients")
    last = known.last.get("patients")
    more = max(0, last.requests - listed) if last and last.outcome == "loaded" else 1
    why = "who depends on whom, and records of which the list holds only names: as at the last pull"
    if not known.is_loaded("patients"):
        why = "who depends on whom, and records of which the list holds only names"
    yield known.line(
        "patients", "GET /clinic/patients*", more, why, at_least=not known.is_loaded("patients"), listed_as="patients"
    )


def _events(known: Known) -> Iterator[BillLine]:
    feeds = [feed for feed in feeds_of(known.clinic.region) if not known.refused(feed)]
    if known.store and known.store.cursor(known.clinic.server, known.clinic.clinic_id, HEARD):
        feeds = [feed for feed in feeds if feed != "product_events"]
    is_first = not known.is_loaded("events")
    listed = sum(pages(known.ask(known.clinic, feed) or 0) for feed in feeds) if is_first else len(feeds)
    what = "of the last 30 days" if is_first else "since the last look"
    yield known.line("events", "GET /events/*", listed, f"a page or more of each feed {what}", at_least=True)
    waiting = 0
    if known.store:
        waiting = len(known.store.pending_events(known.clinic.server, known.clinic.clinic_id))
    why = f"one for each new plan event; {counted(waiting, 'event')} waiting"
    yield known.line("events", "GET /events/{id}", waiting, why, at_least=True)


def _plans(known: Known) -> Iterator[BillLine]:
    endpoint = "GET /clinic/patients/{id}/treatment_plans"
    stored = known.number("SELECT count(*) FROM core.patients WHERE clinic_id = $clinic AND removed_at IS NULL")
    if known.con is None or not stored:
        rows, _, sure = patient_count(known)
        why = "one for each patient, the first time"
        yield known.line("treatment_plans", endpoint, rows, why, at_least=not sure)
        return
    due = due_patients(known.con, known.clinic.clinic_id, known.pace.sweep_days, _view(known))
    why = (
        f"never read {len(due.never):,}, touched by something {len(due.touched):,}, their turn {len(due.turn):,}; "
        f"{stored - len(due.all):,} are stored and not due; whoever today's orders and events point at besides"
    )
    yield known.line("treatment_plans", endpoint, len(due.all), why, at_least=True)


def _orders(known: Known) -> Iterator[BillLine]:
    endpoint, clinic_id = "GET /clinic/orders", known.clinic.clinic_id
    window = daily_window(known.con, clinic_id, known.pace.trailing_days, _view(known)) if known.con else Window()
    if known.con is None or window.first is None:
        yield known.listed("orders", endpoint)
        return
    rows = _stored_orders(known, window)
    stored = known.number("SELECT count(*) FROM core.orders WHERE clinic_id = $clinic")
    why = f"{counted(rows, 'order')} since {window.first}; {stored - rows:,} older ones are stored and not due"
    yield known.line("orders", endpoint, pages(rows), why, listed_as="orders")
    swept = sweep_window(known.con, clinic_id, known.day, known.pace.trailing_days, known.pace.sweep_days)
    if swept:
        why = f"the day's share of older orders, through {swept.last}"
        number = pages(_stored_orders(known, swept))
        yield known.line("orders_sweep", endpoint, number, why, table="orders", listed_as="orders")


def _view(known: Known) -> View | None:
    """What the pull will see; what was read by somebody who sees less is read again."""
    grant = known.store.load_grant(known.clinic) if known.store else None
    return grant_view(known.clinic, grant) if grant else None


def _stored_orders(known: Known, window: Window) -> int:
    return known.number(
        "SELECT count(*) FROM core.orders WHERE clinic_id = $clinic "
        "AND ($first::DATE IS NULL OR completed_on >= $first) AND ($last::DATE IS NULL OR completed_on <= $last)",
        first=window.first - OVERLAP if window.first else None,
        last=window.last + OVERLAP if window.last else None,
    )


def _lab_orders(known: Known) -> Iterator[BillLine]:
    if known.clinic.region not in REGIONS_WITH_LABS:
        yield known.line("lab_orders", "GET /clinic/labs/orders", 0, _NO_LABS)
        return
    yield known.listed("lab_orders", "GET /clinic/labs/orders")


def _lab_tests(known: Known) -> Iterator[BillLine]:
    if known.clinic.region in REGIONS_WITH_LABS:
        why = "of each test that orders name, once a week"
        yield known.line("lab_tests", "GET /clinic/labs/tests/{id}", _due_tests(known), why, at_least=True)


def _due_tests(known: Known) -> int:
    if known.con is None:
        return 0
    rows = known.con.execute(
        "SELECT DISTINCT lab_test_id FROM core.lab_order_tests WHERE clinic_id = ? AND removed_at IS NULL "
        "AND lab_test_id IS NOT NULL",
        [known.clinic.clinic_id],
    ).fetchall()
    tests = {test: None for (test,) in rows}
    return len(ids_due_for_refetch(known.con, known.clinic.clinic_id, "lab_tests", tests, sweep_days=TESTS_SWEEP_DAYS))


def _variants(known: Known) -> Iterator[BillLine]:
    """Variants that stored plans and orders name and nobody has looked up; today's plans may name more."""
    named = """SELECT count(DISTINCT variant_id) FROM (
            SELECT variant_id FROM core.recommendations WHERE clinic_id = $clinic
            UNION SELECT variant_id FROM core.order_line_items WHERE clinic_id = $clinic AND lab_type IS NULL
                AND coalesce(line_type, '') <> 'labs') n
        WHERE variant_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM core.variants v WHERE v.region = $region AND v.variant_id = n.variant_id)
        AND NOT EXISTS (SELECT 1 FROM core.clinic_variants c WHERE c.clinic_id = $clinic
            AND c.variant_id = n.variant_id AND c.outcome = 'not_found')"""
    why = "variants that plans and orders name and the catalog lacks, and their products"
    yield known.line(
        "variants", "GET /catalog/variants/{id}", known.number(named), why, at_least=True, table="clinic_variants"
    )


# By the name of the resource; one that is in no list here is pulled without requests of its own.
_COMPUTED: Mapping[str, Callable[[Known], Iterable[BillLine]]] = {
    "patients": _patients,
    "events": _events,
    "treatment_plans": _plans,
    "orders": _orders,
    "lab_orders": _lab_orders,
    "lab_tests": _lab_tests,
    "variants": _variants,
}
