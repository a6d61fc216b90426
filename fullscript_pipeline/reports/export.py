"""The clinic's rows as one CSV file, for people who sort and filter in a spreadsheet.

The same words and whole percents as on the pages; no cell can start a formula. What does not belong here: HTML.
"""

import csv
import io
from importlib import resources
from typing import Any

import duckdb

from fullscript_pipeline.reports import text, words
from fullscript_pipeline.reports.data import full_name
from fullscript_pipeline.reports.policy import ReportPolicy

COLUMNS = (
    "patient", "date_of_birth", "practitioner", "product", "brand", "status", "last_ordered", "supply_until",
    "days_late", "due_in_days", "share_of_days_covered", "window_first_day", "window_last_day", "window_days", "orders",
    "dosage", "could_not_measure_because", "notes", "as_of", "patient_id", "treatment_plan_id", "product_id",
)  # fmt: skip
_FORMULA = frozenset("=+-@|%＝＋－＠")


def clinic_csv(con: duckdb.DuckDBPyConnection, clinic_id: str, policy: ReportPolicy) -> str:
    """A header and a row per patient, plan and product, ordered by name; with a byte order mark, for spreadsheets."""
    sql = resources.files(__package__).joinpath("sql", "export.sql").read_text(encoding="utf-8")
    found = con.execute(sql, {"clinic": clinic_id})
    names = [column[0] for column in found.description or []]
    file = io.StringIO()
    file.write("\ufeff")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    while rows := found.fetchmany(2000):
        writer.writerows(_cells(dict(zip(names, row, strict=True)), policy) for row in rows)
    return file.getvalue()


def cell(value: object) -> str:
    """The value as a spreadsheet shows it and never runs it: what could start a formula gets an apostrophe."""
    if not isinstance(value, str):
        return "" if value is None else str(value)
    plain = text.clean(value)
    return f"'{plain}" if plain.lstrip()[:1] in _FORMULA or plain.startswith(("\t", "\r", "\n")) else plain


def _cells(row: dict[str, Any], policy: ReportPolicy) -> list[str]:
    verdict = words.verdict(row["status"], row["days_late"], row["due_in_days"], policy)
    is_unmeasured = row["measurable"] not in {"ok", "range"}
    values = (
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
        text.share(row["pdc_min"], row["pdc_max"]),
        row["window_start"],
        row["window_last"],
        row["window_days"],
        row["orders"],
        row["dosage_text"],
        (row["reason"] or words.REASONS.get(row["measurable"])) if is_unmeasured else None,
        "; ".join(words.FLAGS.get(flag, flag.replace("_", " ")) for flag in row["flags"] or []),
        row["as_of"],
        row["patient_id"],
        row["treatment_plan_id"],
        row["product_id"],
    )
    return [cell(value) for value in values]
