"""Reads the patients and products behind a clinic's lists; the SQL is in reports/sql/.

What does not belong here: words, layout, arithmetic, what patient pages read too (`page_queries`), and rows that only
one part of a page needs: the former call list (`call_list`), the months (`trend_chart`), the catalog (`catalog_news`).
"""

from collections.abc import Iterable
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


def load_clinic_patients(con: duckdb.DuckDBPyConnection, clinic_id: str) -> list[ClinicPatient]:
    """Everybody who is still in Fullscript, by id."""
    return read_rows(con, "clinic_patients.sql", ClinicPatient, {"clinic": clinic_id})


def stream_products(con: duckdb.DuckDBPyConnection, clinic_id: str) -> Iterable[ProductRow]:
    """The products; those of a patient follow each other."""
    return stream_rows(con, "clinic_products.sql", ProductRow, {"clinic": clinic_id})
