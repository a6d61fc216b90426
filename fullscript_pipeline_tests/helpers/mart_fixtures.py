"""A small warehouse for the pages: the tables they read, and rows of every status. No engine, figures are given.

What does not belong here: expectations (each test has its own).
"""

from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any

import duckdb

from fullscript_pipeline import adherence, catalog

AS_OF = date(2026, 11, 22)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLINIC = "clinic-1"

_DDL = """
CREATE SCHEMA core; CREATE SCHEMA marts;
CREATE TABLE marts.adherence (clinic_id VARCHAR, patient_id VARCHAR, treatment_plan_id VARCHAR, product_id VARCHAR,
    as_of DATE, window_start DATE, window_end DATE, window_days INTEGER, measurable VARCHAR, status VARCHAR,
    adherent VARCHAR, pdc_min DOUBLE, pdc_max DOUBLE, on_hand_days DOUBLE, run_out_on DATE, orders INTEGER,
    flags VARCHAR[], reason VARCHAR, practitioner_id VARCHAR, product_name VARCHAR, brand_name VARCHAR,
    variant_ids VARCHAR[], plan_state VARCHAR, plan_started_on DATE, dosage_text VARCHAR, units_per_day_min VARCHAR,
    units_per_day_max VARCHAR, units_per_day_min_value DOUBLE, units_per_day_max_value DOUBLE, unit VARCHAR,
    duration_kind VARCHAR, duration_days INTEGER, refill BOOLEAN, units_to_purchase BIGINT,
    pdc_since_first_order DOUBLE, cma1 DOUBLE, cma2 DOUBLE, cma5 DOUBLE, supply_ratio DOUBLE,
    course_supply_ratio DOUBLE, initiation_delay_days INTEGER, longest_gap_days DOUBLE, gap_days DOUBLE,
    first_order_on DATE, last_order_on DATE, last_order_quantity BIGINT, last_order_units DOUBLE,
    units_supplied DOUBLE, carry_in_units DOUBLE, carry_in_days DOUBLE, had_stock BOOLEAN, on_hand_units DOUBLE,
    days_late INTEGER, due_in_days INTEGER, assumptions VARCHAR[], run_out_on_latest DATE, dose_since DATE,
    share_verdict VARCHAR, is_current BOOLEAN, continued_by VARCHAR);
CREATE TABLE marts.adherence_timeline (clinic_id VARCHAR, patient_id VARCHAR, treatment_plan_id VARCHAR,
    product_id VARCHAR, as_of DATE, kind VARCHAR, start_on DATE, end_on DATE, quantity INTEGER, units DOUBLE,
    label VARCHAR);
CREATE TABLE marts.adherence_dose_periods (clinic_id VARCHAR, patient_id VARCHAR, treatment_plan_id VARCHAR,
    product_id VARCHAR, dose_bound VARCHAR, start_on DATE, end_on DATE, days INTEGER, units_per_day VARCHAR,
    unit VARCHAR, units_on_hand DOUBLE, units_bought DOUBLE, units_used DOUBLE, units_left DOUBLE, days_covered DOUBLE);
CREATE TABLE core.clinics (clinic_id VARCHAR, clinic_key VARCHAR, region VARCHAR, name VARCHAR);
CREATE TABLE core.patients (clinic_id VARCHAR, patient_id VARCHAR, first_name VARCHAR, last_name VARCHAR,
    email VARCHAR, date_of_birth DATE, gender VARCHAR, archived BOOLEAN, removed_at TIMESTAMPTZ,
    mobile_number VARCHAR, text_message_notification BOOLEAN, guardian_patient_id VARCHAR, external_id VARCHAR);
CREATE TABLE core.practitioners (clinic_id VARCHAR, practitioner_id VARCHAR, first_name VARCHAR, last_name VARCHAR);
CREATE TABLE core.orders (clinic_id VARCHAR, order_id VARCHAR, patient_id VARCHAR, is_refunded BOOLEAN,
    removed_at TIMESTAMPTZ);
CREATE TABLE core.order_line_items (clinic_id VARCHAR, order_id VARCHAR, position BIGINT, variant_id VARCHAR,
    quantity BIGINT, line_type VARCHAR);
CREATE TABLE core.variants (region VARCHAR, variant_id VARCHAR, product_id VARCHAR, units DECIMAL(18,4),
    status VARCHAR, availability VARCHAR, removed_at TIMESTAMPTZ);
CREATE TABLE core.lab_orders (clinic_id VARCHAR, lab_order_id VARCHAR, patient_id VARCHAR, practitioner_id VARCHAR,
    name VARCHAR, state VARCHAR, state_raw VARCHAR, removed_at TIMESTAMPTZ, valid_from TIMESTAMPTZ,
    treatment_plan_id VARCHAR);
CREATE TABLE core.lab_recommendations (clinic_id VARCHAR, treatment_plan_id VARCHAR, name VARCHAR,
    removed_at TIMESTAMPTZ);
CREATE TABLE core.treatment_plans (clinic_id VARCHAR, treatment_plan_id VARCHAR, patient_id VARCHAR,
    practitioner_id VARCHAR, state VARCHAR, available_at TIMESTAMPTZ, created_at TIMESTAMPTZ, removed_at TIMESTAMPTZ);
CREATE SCHEMA ops;
CREATE TABLE ops.pulls (clinic_id VARCHAR, resource VARCHAR, outcome VARCHAR, complete BOOLEAN, observed_at TIMESTAMPTZ,
    finished_at TIMESTAMPTZ);
INSERT INTO ops.pulls VALUES
    ('clinic-1', 'lab_orders', 'loaded', true, '2026-11-22 12:00:00+00', '2026-11-22 12:00:00+00');
CREATE TABLE core.products (region VARCHAR, product_id VARCHAR, name VARCHAR, brand_id VARCHAR,
    removed_at TIMESTAMPTZ);
CREATE TABLE core.brands (region VARCHAR, brand_id VARCHAR, name VARCHAR);
CREATE TABLE core.category_products (clinic_id VARCHAR, category_id VARCHAR, product_id VARCHAR,
    removed_at TIMESTAMPTZ);
CREATE TABLE core.similar_products (region VARCHAR, product_id VARCHAR, similar_product_id VARCHAR, place BIGINT,
    removed_at TIMESTAMPTZ);
CREATE TABLE core.clinic_brands (clinic_id VARCHAR, brand_id VARCHAR, removed_at TIMESTAMPTZ);
CREATE SCHEMA history;
CREATE TABLE history.products (region VARCHAR, product_id VARCHAR, name VARCHAR, valid_from TIMESTAMPTZ);
CREATE TABLE history.variants (region VARCHAR, variant_id VARCHAR, status VARCHAR, availability VARCHAR,
    removed_at TIMESTAMPTZ, valid_from TIMESTAMPTZ, known_at TIMESTAMPTZ);
CREATE TABLE history.lab_orders (clinic_id VARCHAR, lab_order_id VARCHAR, known_at TIMESTAMPTZ);
CREATE TABLE marts.adherence_gaps (clinic_id VARCHAR, patient_id VARCHAR, treatment_plan_id VARCHAR,
    product_id VARCHAR, as_of DATE, gap_start DATE, gap_end DATE, gap_days DOUBLE, is_open BOOLEAN);
CREATE TABLE marts.patient_verdicts (clinic_id VARCHAR, patient_id VARCHAR, verdict VARCHAR, since DATE, until DATE);
INSERT INTO core.clinics VALUES ('clinic-1', 'green-hill', 'us', 'Green Hill Health');
INSERT INTO core.practitioners VALUES ('clinic-1', 'doc-1', 'Ana', 'Ruiz'), ('clinic-1', 'doc-2', 'Zoë', 'O''Hara');
"""


def empty_warehouse() -> duckdb.DuckDBPyConnection:
    """The tables and one clinic with two practitioners, no patients."""
    con = duckdb.connect()
    con.execute(_DDL)
    marts = resources.files(adherence).joinpath("sql", "marts.sql").read_text(encoding="utf-8")
    (panels,) = [statement for statement in marts.split(";") if "VIEW marts.unordered_panels" in statement]
    con.execute(panels)
    con.execute(resources.files(catalog).joinpath("sql", "marts.sql").read_text(encoding="utf-8"))
    return con


def insert(con: duckdb.DuckDBPyConnection, table: str, **values: Any) -> None:
    """One row; columns that are not named are NULL."""
    marks = ", ".join("?" for _ in values)
    con.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))


def patient(
    con: duckdb.DuckDBPyConnection, patient_id: str, first: str = "Mia", last: str = "Stone", **more: Any
) -> None:
    """A patient of the clinic."""
    values = {"date_of_birth": date(1980, 2, 3), "archived": False} | more
    insert(con, "core.patients", clinic_id=CLINIC, patient_id=patient_id, first_name=first, last_name=last, **values)


def row(con: duckdb.DuckDBPyConnection, patient_id: str, status: str, product: str = "Magnesium", **more: Any) -> None:
    """A row of the mart: 2 capsules a day since 1 March, 93 % covered, unless `more` says otherwise."""
    values: dict[str, Any] = {
        "clinic_id": CLINIC,
        "patient_id": patient_id,
        "treatment_plan_id": "plan-1",
        "product_id": f"p-{product}",
        "as_of": AS_OF,
        "window_start": date(2026, 3, 1),
        "window_end": AS_OF + timedelta(days=1),
        "window_days": 267,
        "measurable": "ok",
        "status": status,
        "adherent": "yes",
        "share_verdict": "at_or_above",
        "pdc_min": 0.9307,
        "pdc_max": 0.9307,
        "on_hand_days": 19.0,
        "on_hand_units": 38.0,
        "run_out_on": date(2026, 12, 11),
        "due_in_days": 19,
        "orders": 3,
        "flags": [],
        "practitioner_id": "doc-1",
        "product_name": product,
        "brand_name": "Northwind Naturals",
        "plan_started_on": date(2026, 3, 1),
        "dosage_text": "2 capsules, once per day",
        "units_per_day_min": "2",
        "units_per_day_max": "2",
        "unit": "capsule",
        "last_order_on": date(2026, 9, 12),
        "last_order_quantity": 2,
        "last_order_units": 180.0,
        "units_supplied": 540.0,
        "longest_gap_days": 12.0,
        "supply_ratio": 1.011,
    }
    insert(con, "marts.adherence", **(values | more))


def timeline(con: duckdb.DuckDBPyConnection, patient_id: str, product: str, *parts: tuple[str, date, date]) -> None:
    """Parts of a lane: (kind, start, end); orders carry 180 units."""
    for kind, start, end in parts:
        insert(
            con,
            "marts.adherence_timeline",
            clinic_id=CLINIC,
            patient_id=patient_id,
            treatment_plan_id="plan-1",
            product_id=f"p-{product}",
            as_of=AS_OF,
            kind=kind,
            start_on=start,
            end_on=end,
            quantity=2 if kind == "order" else None,
            units=180.0 if kind == "order" else None,
        )


def usual_lane(con: duckdb.DuckDBPyConnection, patient_id: str, product: str) -> None:
    """Covered, a gap, covered until the day; three orders, one plan change."""
    day = date.fromisoformat
    timeline(
        con,
        patient_id,
        product,
        ("covered", day("2026-03-01"), day("2026-06-20")),
        ("gap", day("2026-06-20"), day("2026-07-09")),
        ("covered", day("2026-07-09"), AS_OF + timedelta(days=1)),
        ("order", day("2026-03-01"), day("2026-03-01")),
        ("order", day("2026-07-09"), day("2026-07-09")),
        ("order", day("2026-09-12"), day("2026-09-12")),
        ("plan_change", day("2026-08-01"), day("2026-08-01")),
    )


LATE: dict[str, Any] = {
    "status": "out_of_supply",
    "run_out_on": date(2026, 11, 10),
    "days_late": 12,
    "due_in_days": None,
    "on_hand_days": 0.0,
    "on_hand_units": 0.0,
    "pdc_min": 0.7975,
    "pdc_max": 0.7975,
    "adherent": "no",
    "share_verdict": "below",
    "supply_ratio": 0.7975,
}
NO_FIGURES: dict[str, Any] = dict.fromkeys(
    ("pdc_min", "pdc_max", "adherent", "share_verdict", "on_hand_days",
     "on_hand_units", "run_out_on", "due_in_days", "supply_ratio",
     "units_per_day_min", "units_per_day_max", "longest_gap_days")
)  # fmt: skip
NEVER: dict[str, Any] = {
    "status": "never_ordered",
    "pdc_min": 0.0,
    "pdc_max": 0.0,
    "adherent": "no",
    "share_verdict": "below",
    "orders": 0,
    "run_out_on": None,
    "due_in_days": None,
    "on_hand_days": 0.0,
    "on_hand_units": 0.0,
    "last_order_on": None,
    "last_order_quantity": None,
    "last_order_units": None,
    "units_supplied": 0.0,
    "longest_gap_days": 267.0,
    "supply_ratio": 0.0,
}
STATUSES = (
    "covered",
    "out_of_supply",
    "indeterminate",
    "never_ordered",
    "awaiting_first_order",
    "cancelled_before_order",
    "not_measurable",
    "not_started",
    "plan_cancelled",
    "recommendation_removed",
    "course_completed",
    "course_incomplete",
    "supplied_as_recommended",
)


def demo_patient(con: duckdb.DuckDBPyConnection, patient_id: str = "pat-1", **more: Any) -> None:
    """A patient with a row of the usual kinds: on track, late, range, as needed, never ordered, course, cancelled."""
    patient(con, patient_id, **more)
    for product in ("Magnesium Bisglycinate 200", "Vitamin D3 + K2", "Omega-3 1000", "Curcumin Phytosome"):
        usual_lane(con, patient_id, product)
    row(con, patient_id, "covered", "Magnesium Bisglycinate 200")
    row(con, patient_id, product="Vitamin D3 + K2", **LATE)
    row(con, patient_id, "indeterminate", "Omega-3 1000", pdc_min=0.62, pdc_max=0.93, measurable="range",
        adherent="indeterminate", share_verdict="depends_on_dose",
        run_out_on_latest=date(2026, 12, 30), units_per_day_min="1", units_per_day_max="2",
        dosage_text="1-2 softgels once per day",
        unit="softgel")  # fmt: skip
    row(con, patient_id, "not_measurable", "Curcumin Phytosome", measurable="prn", dosage_text="1 as needed",
        **NO_FIGURES)  # fmt: skip
    row(con, patient_id, product="Zinc Picolinate", **NEVER)
    row(con, patient_id, "course_completed", "Berberine", course_supply_ratio=1.0, duration_kind="finite",
        duration_days=30)  # fmt: skip
    row(con, patient_id, "plan_cancelled", "Ashwagandha", treatment_plan_id="plan-2")
