"""The request estimate of a clinic's day, and of a backfill of orders.

What does not belong here: the catalog (`region`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date

import duckdb

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.extraction.engine import grant_view, ids_due_for_refetch
from fullscript_pipeline.extraction.pulls import (
    OVERLAP,
    PRODUCT_FEED_CURSOR,
    TESTS_SWEEP_DAYS,
    Window,
    daily_window,
    due_patients,
    feeds_of,
    sweep_window,
)
from fullscript_pipeline.extraction.request_estimate.estimate import (
    EstimateInputs,
    EstimateLine,
    Pace,
    RowCounter,
    last_pulls,
    no_counting,
    page_count,
)
from fullscript_pipeline.extraction.request_estimate.rules import lines_by_rule, patient_list_size
from fullscript_pipeline.plural import counted
from fullscript_pipeline.regions import REGIONS_WITH_LABS
from fullscript_pipeline.resources import ALL_RESOURCES
from fullscript_pipeline.resources.types import Resource
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.loading import View

_NO_LABS = "skipped: Fullscript has labs in the US only"


def estimate_clinic(
    con: duckdb.DuckDBPyConnection | None,
    clinic: ClinicRef,
    day: date,
    pace: Pace = Pace(),  # noqa: B008 -- frozen
    *,
    store: StateStore | None = None,
    count_rows: RowCounter = no_counting,
    only: Collection[str] | None = None,
) -> list[EstimateLine]:
    """Estimates a clinic's day. `con`: the warehouse, None when there is none; `only`: the steps that make these
    tables."""
    last = last_pulls(con, "clinic_id", clinic.clinic_id)
    inputs = EstimateInputs(
        owner=clinic.clinic_key,
        con=con,
        clinic=clinic,
        day=day,
        pace=pace,
        store=store,
        count_rows=count_rows,
        last=last,
    )
    return [
        line
        for resource in ALL_RESOURCES
        if resource.partition == "clinic" and (only is None or set(resource.table_names) & set(only))
        for line in _lines(inputs, resource)
    ]


def _lines(inputs: EstimateInputs, resource: Resource) -> Iterable[EstimateLine]:
    """Estimates one resource: by its rule, or by its function in `_COMPUTED`."""
    if resource.estimate.rule != "computed":
        return lines_by_rule(inputs, resource)
    computed = _COMPUTED.get(resource.name)
    return computed(inputs) if computed else ()


def estimate_order_days(
    con: duckdb.DuckDBPyConnection | None, clinic: ClinicRef, first: date, last: date
) -> EstimateLine:
    """Estimates a backfill of orders: the pages that the stored orders of these days fill."""
    inputs = EstimateInputs(owner=clinic.clinic_key, con=con, clinic=clinic, day=last)
    rows = _stored_orders(inputs, Window(first=first, last=last))
    why = f"{rows:,} stored orders of these days and two around them" if rows else "no order of these days is stored"
    return inputs.line("orders_backfill", "GET /clinic/orders", page_count(rows), why, at_least=True, table="orders")


def _patients(inputs: EstimateInputs) -> Iterator[EstimateLine]:
    size = patient_list_size(inputs)
    listed = page_count(size.rows)
    yield inputs.line(
        "patients", "GET /clinic/patients", listed, size.why, at_least=not size.is_sure, refused_as="patients"
    )
    last = inputs.last.get("patients")
    more = max(0, last.requests - listed) if last and last.outcome == "loaded" else 1
    why = "who depends on whom, and records of which the list holds only names: as at the last pull"
    if not inputs.is_loaded("patients"):
        why = "who depends on whom, and records of which the list holds only names"
    yield inputs.line(
        "patients", "GET /clinic/patients*", more, why, at_least=not inputs.is_loaded("patients"), refused_as="patients"
    )


def _events(inputs: EstimateInputs) -> Iterator[EstimateLine]:
    feeds = [feed for feed in feeds_of(inputs.clinic.region) if not inputs.refused(feed)]
    if inputs.store and inputs.store.feeds.position(inputs.clinic.server, inputs.clinic.clinic_id, PRODUCT_FEED_CURSOR):
        feeds = [feed for feed in feeds if feed != "product_events"]
    is_first = not inputs.is_loaded("events")
    listed = sum(page_count(inputs.count_rows(inputs.clinic, feed) or 0) for feed in feeds) if is_first else len(feeds)
    what = "of the last 30 days" if is_first else "since the last poll"
    yield inputs.line("events", "GET /events/*", listed, f"a page or more of each feed {what}", at_least=True)
    waiting = 0
    if inputs.store:
        waiting = len(inputs.store.events.pending(inputs.clinic.server, inputs.clinic.clinic_id))
    why = f"one for each new plan event; {counted(waiting, 'event')} waiting"
    yield inputs.line("events", "GET /events/{id}", waiting, why, at_least=True)


def _plans(inputs: EstimateInputs) -> Iterator[EstimateLine]:
    endpoint = "GET /clinic/patients/{id}/treatment_plans"
    stored = inputs.number("SELECT count(*) FROM core.patients WHERE clinic_id = $clinic AND removed_at IS NULL")
    if inputs.con is None or not stored:
        size = patient_list_size(inputs)
        why = "one for each patient, the first time"
        yield inputs.line("treatment_plans", endpoint, size.rows, why, at_least=not size.is_sure)
        return
    due = due_patients(inputs.con, inputs.clinic.clinic_id, inputs.pace.sweep_days, _view(inputs))
    why = (
        f"never read {len(due.never_read):,}, touched by something {len(due.affected):,}, "
        f"their turn {len(due.rolling_share):,}; {stored - len(due.all_ids):,} are stored and not due; "
        "whoever today's orders and events point at besides"
    )
    yield inputs.line("treatment_plans", endpoint, len(due.all_ids), why, at_least=True)


def _orders(inputs: EstimateInputs) -> Iterator[EstimateLine]:
    endpoint, clinic_id = "GET /clinic/orders", inputs.clinic.clinic_id
    window = daily_window(inputs.con, clinic_id, inputs.pace.trailing_days, _view(inputs)) if inputs.con else Window()
    if inputs.con is None or window.first is None:
        yield inputs.listed("orders", endpoint)
        return
    rows = _stored_orders(inputs, window)
    stored = inputs.number("SELECT count(*) FROM core.orders WHERE clinic_id = $clinic")
    why = f"{counted(rows, 'order')} since {window.first}; {stored - rows:,} older ones are stored and not due"
    yield inputs.line("orders", endpoint, page_count(rows), why, refused_as="orders")
    sweep = sweep_window(
        inputs.con, clinic_id, inputs.day, trailing_days=inputs.pace.trailing_days, sweep_days=inputs.pace.sweep_days
    )
    if sweep:
        why = f"the day's share of older orders, through {sweep.last}"
        number = page_count(_stored_orders(inputs, sweep))
        yield inputs.line("orders_sweep", endpoint, number, why, table="orders", refused_as="orders")


def _view(inputs: EstimateInputs) -> View | None:
    """Returns the view of the next pull; rows of a narrower view are read again."""
    grant = inputs.store.tokens.load_grant(inputs.clinic) if inputs.store else None
    return grant_view(inputs.clinic, grant) if grant else None


def _stored_orders(inputs: EstimateInputs, window: Window) -> int:
    return inputs.number(
        "SELECT count(*) FROM core.orders WHERE clinic_id = $clinic "
        "AND ($first::DATE IS NULL OR completed_on >= $first) AND ($last::DATE IS NULL OR completed_on <= $last)",
        first=window.first - OVERLAP if window.first else None,
        last=window.last + OVERLAP if window.last else None,
    )


def _lab_orders(inputs: EstimateInputs) -> Iterator[EstimateLine]:
    if inputs.clinic.region not in REGIONS_WITH_LABS:
        yield inputs.line("lab_orders", "GET /clinic/labs/orders", 0, _NO_LABS)
        return
    yield inputs.listed("lab_orders", "GET /clinic/labs/orders")


def _lab_tests(inputs: EstimateInputs) -> Iterator[EstimateLine]:
    if inputs.clinic.region in REGIONS_WITH_LABS:
        why = "of each test that orders name, once a week"
        yield inputs.line("lab_tests", "GET /clinic/labs/tests/{id}", _due_tests(inputs), why, at_least=True)


def _due_tests(inputs: EstimateInputs) -> int:
    if inputs.con is None:
        return 0
    rows = inputs.con.execute(
        "SELECT DISTINCT lab_test_id FROM core.lab_order_tests WHERE clinic_id = ? AND removed_at IS NULL "
        "AND lab_test_id IS NOT NULL",
        [inputs.clinic.clinic_id],
    ).fetchall()
    tests = {test: None for (test,) in rows}
    return len(
        ids_due_for_refetch(inputs.con, inputs.clinic.clinic_id, "lab_tests", tests, sweep_days=TESTS_SWEEP_DAYS)
    )


def _variants(inputs: EstimateInputs) -> Iterator[EstimateLine]:
    """Estimates the variants that stored plans and orders name and the catalog lacks; today's plans may name more."""
    named = """SELECT count(DISTINCT variant_id) FROM (
            SELECT variant_id FROM core.recommendations WHERE clinic_id = $clinic
            UNION SELECT variant_id FROM core.order_line_items WHERE clinic_id = $clinic AND lab_type IS NULL
                AND coalesce(line_type, '') <> 'labs') n
        WHERE variant_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM core.variants v WHERE v.region = $region AND v.variant_id = n.variant_id)
        AND NOT EXISTS (SELECT 1 FROM core.clinic_variants c WHERE c.clinic_id = $clinic
            AND c.variant_id = n.variant_id AND c.outcome = 'not_found')"""
    why = "variants that plans and orders name and the catalog lacks, and their products"
    yield inputs.line(
        "variants", "GET /catalog/variants/{id}", inputs.number(named), why, at_least=True, table="clinic_variants"
    )


# By resource name; a resource that is not here needs no requests of its own.
_COMPUTED: Mapping[str, Callable[[EstimateInputs], Iterable[EstimateLine]]] = {
    "patients": _patients,
    "events": _events,
    "treatment_plans": _plans,
    "orders": _orders,
    "lab_orders": _lab_orders,
    "lab_tests": _lab_tests,
    "variants": _variants,
}
