"""Exports the clinic's rows as a CSV file and as a workbook, for people who sort and filter in a spreadsheet.

Words and percents are those of the pages. No cell can start a formula. What does not belong here: HTML.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

import duckdb

from fullscript_pipeline.reports import formatting, status_texts
from fullscript_pipeline.reports.language import ENGLISH
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.page_queries import full_name
from fullscript_pipeline.reports.thresholds import ReportPolicy
from fullscript_pipeline.reports.workbooks import SafeWorkbook, is_formula

COLUMNS = (
    "patient", "date_of_birth", "practitioner", "product", "brand", "status", "last_ordered", "supply_until",
    "days_late", "due_in_days", "share_of_days_covered", "window_first_day", "window_last_day", "window_days", "orders",
    "dosage", "could_not_measure_because", "notes", "as_of", "patient_id", "treatment_plan_id", "product_id",
)  # fmt: skip
_WIDTHS = {"patient": 24, "practitioner": 22, "product": 30, "dosage": 36, "could_not_measure_because": 40, "notes": 40}
Row = tuple[object, ...]


def clinic_rows(con: duckdb.DuckDBPyConnection, clinic_id: str, policy: ReportPolicy) -> list[Row]:
    """The values of COLUMNS for each patient, plan and product, ordered by name."""
    sql = resources.files(__package__).joinpath("sql", "export.sql").read_text(encoding="utf-8")
    cursor = con.execute(sql, {"clinic": clinic_id})
    names = [column[0] for column in cursor.description or []]
    rows: list[Row] = []
    while batch := cursor.fetchmany(2000):
        rows += (_row_of(dict(zip(names, row, strict=True)), policy) for row in batch)
    return rows


def clinic_csv(rows: Iterable[Row]) -> str:
    """The header and the rows, with a byte order mark for spreadsheets."""
    file = io.StringIO()
    file.write("\ufeff")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([safe_cell(value) for value in row] for row in rows)
    return file.getvalue()


def clinic_workbook(rows: Sequence[Row], context: PageContext) -> bytes:
    """The same rows as an Excel workbook with typed dates and numbers; texts are never formulas or links.

    A second sheet names the day of the rows and their limits.
    """
    book = SafeWorkbook("Supply by orders", context.rendered_at)
    book.add_table("supply", COLUMNS, rows, _WIDTHS)
    book.add_sentences("about", about_sentences(context))
    return book.content()


def safe_cell(value: object) -> str:
    """The value as a cell that a spreadsheet never executes: a text that could start a formula gets an apostrophe."""
    if not isinstance(value, str):
        return "" if value is None else str(value)
    plain = formatting.clean(value)
    return f"'{plain}" if is_formula(plain) else plain


def about_sentences(context: PageContext) -> list[str]:
    """The day of the rows, the age of the data, and the limits of the figures."""
    banners = (
        context.stale_sentence,
        context.access_refused_sentence,
        context.held_rows_sentence,
        context.quarantined_sentence,
    )
    return [
        f"{context.clinic.name or context.clinic.clinic_key}: supply by orders, as of the end of "
        f"{context.language.day(context.as_of)} ({context.zone.key}).",
        f"Last successful pull: {context.last_pull_text}. Made {context.rendered_text}.",
        *filter(None, banners),
        context.language.gettext(formatting.LIMITS),
        context.policy.sentence(context.language),
    ]


def _row_of(row: dict[str, Any], policy: ReportPolicy) -> Row:
    verdict = status_texts.verdict(row["status"], row["days_late"], row["due_in_days"], policy)
    is_unmeasured = row["measurable"] not in {"ok", "range"}
    return (
        full_name(row["first_name"], row["last_name"]),
        row["date_of_birth"],
        full_name(row["practitioner_first"], row["practitioner_last"]),
        row["product_name"],
        row["brand_name"],
        verdict.words,
        row["last_order_on"],
        row["run_out_on"],
        row["days_late"],
        row["due_in_days"],
        formatting.share(ENGLISH, row["pdc_min"], row["pdc_max"]),
        row["window_start"],
        row["window_last"],
        row["window_days"],
        row["orders"],
        row["dosage_text"],
        (row["reason"] or status_texts.REASONS.get(row["measurable"])) if is_unmeasured else None,
        "; ".join(status_texts.FLAGS.get(flag, flag.replace("_", " ")) for flag in row["flags"] or []),
        row["as_of"],
        row["patient_id"],
        row["treatment_plan_id"],
        row["product_id"],
    )
