"""Exports the clinic's rows as a CSV file and as a workbook, for people who sort and filter in a spreadsheet.

Words and percents are those of the pages. No cell can start a formula. What does not belong here: HTML.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

from fullscript_pipeline.reports import formatting, status_texts, unmeasured_reasons
from fullscript_pipeline.reports.language import PageLanguage, translatable
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.page_queries import full_name
from fullscript_pipeline.reports.row_reading import sql_text
from fullscript_pipeline.reports.workbooks import SafeWorkbook
from fullscript_pipeline.spreadsheet_text import is_formula

# The header of the CSV file is for programs: it is the same in every language.
COLUMNS = (
    translatable("patient"), translatable("date_of_birth"), translatable("practitioner"), translatable("product"),
    translatable("brand"), translatable("status"), translatable("last_ordered"), translatable("supply_until"),
    translatable("days_late"), translatable("due_in_days"), translatable("share_of_days_covered"),
    translatable("window_first_day"), translatable("window_last_day"), translatable("window_days"),
    translatable("orders"), translatable("dosage"), translatable("could_not_measure_because"), translatable("notes"),
    translatable("as_of"), translatable("patient_id"), translatable("treatment_plan_id"), translatable("product_id"),
)  # fmt: skip
_WIDTHS = {"patient": 24, "practitioner": 22, "product": 30, "dosage": 36, "could_not_measure_because": 40, "notes": 40}
Row = tuple[object, ...]


def clinic_rows(con: duckdb.DuckDBPyConnection, context: PageContext) -> list[Row]:
    """The values of COLUMNS for each patient, plan and product, ordered by name, in the language of the pages."""
    cursor = con.execute(sql_text("export.sql"), {"clinic": context.clinic.clinic_id})
    names = [column[0] for column in cursor.description or []]
    rows: list[Row] = []
    while batch := cursor.fetchmany(2000):
        rows += (_row_of(dict(zip(names, row, strict=True)), context) for row in batch)
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
    gettext = context.language.gettext
    book = SafeWorkbook(gettext("Supply by orders"), context.rendered_at)
    widths = {gettext(column): width for column, width in _WIDTHS.items()}
    book.add_table(gettext("supply"), [gettext(column) for column in COLUMNS], rows, widths)
    book.add_sentences(gettext("about"), about_sentences(context))
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
        context.narrowed_sentence,
        context.held_rows_sentence,
        context.quarantined_sentence,
    )
    gettext = context.language.gettext
    return [
        gettext(
            "%(clinic)s: supply by orders, as of the end of %(day)s (%(zone)s).",
            clinic=context.clinic.name or context.clinic.clinic_key,
            day=context.language.day(context.as_of),
            zone=context.zone.key,
        ),
        gettext(
            "Last successful pull: %(pulled)s. Made %(made)s.",
            pulled=context.last_pull_text,
            made=context.rendered_text,
        ),
        *filter(None, banners),
        gettext(formatting.LIMITS),
        context.policy.sentence(context.language),
    ]


def _row_of(row: dict[str, Any], context: PageContext) -> Row:
    language, flags = context.language, row["flags"] or []
    verdict = status_texts.verdict(row["status"], row["days_late"], row["due_in_days"], context.policy)
    is_unmeasured = row["measurable"] not in {"ok", "range"}
    return (
        full_name(row["first_name"], row["last_name"]),
        row["date_of_birth"],
        full_name(row["practitioner_first"], row["practitioner_last"]),
        row["product_name"],
        row["brand_name"],
        language.gettext(verdict.words),
        row["last_order_on"],
        row["run_out_on"],
        row["days_late"],
        row["due_in_days"],
        formatting.share(language, row["pdc_min"], row["pdc_max"]),
        row["window_start"],
        row["window_last"],
        row["window_days"],
        row["orders"],
        row["dosage_text"],
        unmeasured_reasons.unmeasured_reason(row["reason"], row["measurable"], flags, language)
        if is_unmeasured
        else None,
        "; ".join(_note(flag, language) for flag in flags),
        row["as_of"],
        row["patient_id"],
        row["treatment_plan_id"],
        row["product_id"],
    )


def _note(flag: str, language: PageLanguage) -> str:
    return language.gettext(status_texts.FLAGS[flag]) if flag in status_texts.FLAGS else flag.replace("_", " ")
