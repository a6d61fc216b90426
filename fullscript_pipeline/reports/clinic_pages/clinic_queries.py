"""Reads the rows behind a clinic's lists: patients, products, the share by month, the list of last Monday.

The SQL is in reports/sql/. What does not belong here: words, layout, arithmetic, what patient pages read too
(`page_queries`), and the catalog's rows (`catalog_news`).
"""

from collections.abc import Collection, Iterable
from datetime import date
from typing import NamedTuple

import duckdb

from fullscript_pipeline.reports.row_reading import read_rows, stream_rows


class ClinicPatient(NamedTuple):
    """A patient of the clinic, with whom to call. `has_page`: something of them is in the mart."""

    patient_id: str
    first_name: str | None
    last_name: str | None
    date_of_birth: date | None
    archived: bool
    email: str | None
    mobile_number: str | None
    has_texts_on: bool
    guardian_patient_id: str | None
    guardian_first_name: str | None
    guardian_last_name: str | None
    guardian_email: str | None
    guardian_mobile_number: str | None
    has_page: bool


class ProductRow(NamedTuple):
    """What the mart says of a patient's product today."""

    patient_id: str
    practitioner_id: str | None
    product_id: str
    product_name: str | None
    brand_name: str | None
    variant_ids: list[str]
    status: str
    measurable: str
    days_late: int | None
    due_in_days: int | None
    run_out_on: date | None
    window_start: date | None
    plan_started_on: date | None
    last_order_on: date | None


class MonthShare(NamedTuple):
    """How many of the measurable products were on track at the end of `day`, the last day of a month."""

    day: date
    products: int
    on_track: int


class FormerList(NamedTuple):
    """Who was on the call list at the end of a day; `known_since`: None where no day was recorded."""

    patient_ids: list[str]
    known_since: date | None


def load_clinic_patients(con: duckdb.DuckDBPyConnection, clinic_id: str) -> list[ClinicPatient]:
    """Everybody who is still in Fullscript, by id."""
    return read_rows(con, "clinic_patients.sql", ClinicPatient, {"clinic": clinic_id})


def stream_products(con: duckdb.DuckDBPyConnection, clinic_id: str) -> Iterable[ProductRow]:
    """The products; those of a patient follow each other."""
    return stream_rows(con, "clinic_products.sql", ProductRow, {"clinic": clinic_id})


def load_trend(con: duckdb.DuckDBPyConnection, clinic_id: str, as_of: date) -> list[MonthShare]:
    """The months that have a measurable product, twelve at most, the oldest first."""
    return read_rows(con, "clinic_trend.sql", MonthShare, {"clinic": clinic_id, "as_of": as_of})


def load_former_list(
    con: duckdb.DuckDBPyConnection, clinic_id: str, day: date, verdicts: Collection[str]
) -> FormerList:
    """Who had one of these verdicts at the end of `day`."""
    values = {"clinic": clinic_id, "day": day, "verdicts": list(verdicts)}
    return read_rows(con, "clinic_list_on.sql", FormerList, values)[0]
