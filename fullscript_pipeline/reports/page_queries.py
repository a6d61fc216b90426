"""Reads the rows behind the patients' pages from the warehouse, a batch of patients at a time.

The SQL is in sql/. What does not belong here: words, layout, arithmetic.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import duckdb

from fullscript_pipeline.reports.row_reading import read_rows, sql_text

# Each batch reads the tables of the whole clinic, so that many small ones cost more than their rows.
BATCH = 1000


class PageClinic(NamedTuple):
    """The clinic of the pages."""

    clinic_id: str
    clinic_key: str
    region: str
    name: str | None


class PagePatient(NamedTuple):
    """A patient who has at least one row in marts.adherence. Health data: for pages only."""

    patient_id: str
    first_name: str | None
    last_name: str | None
    date_of_birth: date | None
    archived: bool
    external_id: str | None
    email: str | None
    mobile_number: str | None
    texts_on: bool | None
    guardian_patient_id: str | None
    guardian_first_name: str | None
    guardian_last_name: str | None
    guardian_email: str | None
    guardian_mobile_number: str | None
    guardian_texts_on: bool | None

    @property
    def name(self) -> str:
        """First and last name as Fullscript has them; an empty text if there are none."""
        return full_name(self.first_name, self.last_name)


class PlanRow(NamedTuple):
    """A row of marts.adherence: patient x plan x product. `window_end` is exclusive; ratios are shares of days."""

    patient_id: str
    treatment_plan_id: str
    product_id: str
    as_of: date
    window_start: date | None
    window_end: date | None
    window_days: int | None
    measurable: str
    status: str
    adherent: str | None
    pdc_min: float | None
    pdc_max: float | None
    on_hand_days: float | None
    run_out_on: date | None
    orders: int
    flags: list[str]
    reason: str | None
    practitioner_id: str | None
    product_name: str | None
    brand_name: str | None
    plan_started_on: date | None
    dosage_text: str | None
    units_per_day_min: str | None
    units_per_day_max: str | None
    unit: str | None
    duration_kind: str | None
    duration_days: int | None
    supply_ratio: float | None
    course_supply_ratio: float | None
    longest_gap_days: float | None
    last_order_on: date | None
    last_order_quantity: int | None
    last_order_units: float | None
    units_supplied: float | None
    carry_in_units: float | None
    on_hand_units: float | None
    days_late: int | None
    due_in_days: int | None
    run_out_on_latest: date | None
    refill: bool | None
    units_to_purchase: int | None
    dose_since: date | None
    share_verdict: str | None
    is_current: bool
    continued_by: str | None

    @property
    def key(self) -> tuple[str, str]:
        """Identifies the row among its patient's rows."""
        return (self.treatment_plan_id, self.product_id)


class TimelineRow(NamedTuple):
    """A row of marts.adherence_timeline; `end_on` is exclusive, and equals `start_on` for a mark."""

    patient_id: str
    treatment_plan_id: str
    product_id: str
    kind: str
    start_on: date
    end_on: date
    quantity: int | None
    units: float | None
    label: str | None


class DosePeriod(NamedTuple):
    """Days [start, end) of one dose, at the highest dose: what was on hand, bought, used and left, and days covered."""

    patient_id: str
    treatment_plan_id: str
    product_id: str
    start_on: date
    end_on: date
    days: int
    units_per_day: str | None
    unit: str | None
    units_on_hand: float | None
    units_bought: float | None
    units_used: float | None
    units_left: float | None
    days_covered: float | None


class RefundRow(NamedTuple):
    """How many refunded orders had the product. They are not counted as supply."""

    patient_id: str
    product_id: str
    refunded_orders: int


class LabRow(NamedTuple):
    """A lab order with its state (in the REST API's words), or a panel that is only `recommended`; and since when."""

    patient_id: str
    practitioner_id: str | None
    name: str | None
    state: str | None
    state_raw: str | None
    since: date | None
    is_since_first_pull: bool


@dataclass(slots=True, kw_only=True)
class PatientFile:
    """All rows behind one patient's page."""

    patient: PagePatient
    rows: list[PlanRow] = field(default_factory=list)
    timeline: dict[tuple[str, str], list[TimelineRow]] = field(default_factory=dict)
    doses: dict[tuple[str, str], list[DosePeriod]] = field(default_factory=dict)
    refunds: dict[str, int] = field(default_factory=dict)
    labs: list[LabRow] = field(default_factory=list)


def full_name(first: str | None, last: str | None) -> str:
    """First and last name, without missing ones."""
    return " ".join(part for part in (first, last) if part and part.strip())


def load_clinic(con: duckdb.DuckDBPyConnection, clinic_id: str) -> PageClinic | None:
    """The clinic, or None if it is not in the warehouse."""
    clinics = read_rows(con, "clinic.sql", PageClinic, {"clinic": clinic_id})
    return clinics[0] if clinics else None


def load_practitioner_names(con: duckdb.DuckDBPyConnection, clinic_id: str) -> dict[str, str]:
    """Names by practitioner id, of those who have one; removed ones too, because old plans still name them."""
    rows = con.execute(sql_text("practitioners.sql"), {"clinic": clinic_id}).fetchall()
    return {ident: full_name(first, last) for ident, first, last in rows if full_name(first, last)}


def has_labs(con: duckdb.DuckDBPyConnection, clinic_id: str) -> bool:
    """Whether the clinic has any lab order or recommended panel (labs are not offered everywhere)."""
    sql = (
        "SELECT 1 FROM core.lab_orders WHERE clinic_id = $clinic "
        "UNION ALL SELECT 1 FROM core.lab_recommendations WHERE clinic_id = $clinic LIMIT 1"
    )
    row = con.execute(sql, {"clinic": clinic_id}).fetchone()
    return row is not None


def load_patients(con: duckdb.DuckDBPyConnection, clinic_id: str, only: Sequence[str] | None) -> list[PagePatient]:
    """Patients with a row in the mart who are still in Fullscript, ordered by id. `only`: restrict to these ids."""
    values = {"clinic": clinic_id, "everyone": only is None, "ids": list(only or [])}
    return read_rows(con, "patients.sql", PagePatient, values)


def load_labs(
    con: duckdb.DuckDBPyConnection,
    clinic_id: str,
    zone: str,
    *,
    ids: Sequence[str] | None = None,
    states: Sequence[str] | None = None,
) -> list[LabRow]:
    """Lab orders, and recommended panels without an order (state `recommended`), newest first of each patient.

    `ids`: of these patients only; `states`: in these states only. The days are of `zone`.
    """
    values = {"clinic": clinic_id, "zone": zone, "ids": ids, "states": states}
    return read_rows(con, "labs.sql", LabRow, values)


def load_patient_files(
    con: duckdb.DuckDBPyConnection, clinic_id: str, people: Sequence[PagePatient], *, zone: str
) -> Iterator[PatientFile]:
    """The files of these patients, in their order, one batch in memory at a time. Lab states use the days of `zone`."""
    everybody = [patient.patient_id for patient in people]
    refunds: dict[str, dict[str, int]] = defaultdict(dict)
    for refund in read_rows(con, "refunds.sql", RefundRow, {"clinic": clinic_id, "ids": everybody}):
        refunds[refund.patient_id][refund.product_id] = refund.refunded_orders
    labs: dict[str, list[LabRow]] = defaultdict(list)
    for lab in load_labs(con, clinic_id, zone, ids=everybody):
        labs[lab.patient_id].append(lab)
    for first in range(0, len(people), BATCH):
        batch = {
            patient.patient_id: PatientFile(
                patient=patient, refunds=refunds[patient.patient_id], labs=labs[patient.patient_id]
            )
            for patient in people[first : first + BATCH]
        }
        values = {"clinic": clinic_id, "ids": list(batch)}
        for row in read_rows(con, "adherence.sql", PlanRow, values):
            batch[row.patient_id].rows.append(row)
        for mark in read_rows(con, "timeline.sql", TimelineRow, values):
            timelines = batch[mark.patient_id].timeline
            timelines.setdefault((mark.treatment_plan_id, mark.product_id), []).append(mark)
        for period in read_rows(con, "dose_periods.sql", DosePeriod, values):
            batch[period.patient_id].doses.setdefault((period.treatment_plan_id, period.product_id), []).append(period)
        yield from batch.values()
