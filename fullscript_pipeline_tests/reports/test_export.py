"""The CSV beside the clinic page: the page's words, nothing a spreadsheet would run, everyone in it once."""

import csv
from datetime import date

import duckdb
import pytest

from fullscript_pipeline.reports.export import COLUMNS, cell
from fullscript_pipeline_tests.reports.conftest import Write
from fullscript_pipeline_tests.reports.marts import LATE, NO_FIGURES, patient, row


def exported(write: Write) -> list[dict[str, str]]:
    text = write().clinic_page.with_name("supply.csv").read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


def test_a_row_says_what_the_page_says(con: duckdb.DuckDBPyConnection, write: Write) -> None:
    patient(con, "p1", "Mia", "Stone")
    row(con, "p1", product="Zinc", **LATE)
    row(con, "p1", "not_measurable", "Rescue", measurable="prn", **NO_FIGURES)
    rescue, zinc = sorted(exported(write), key=lambda one: one["product"])
    assert tuple(zinc) == COLUMNS
    assert (zinc["patient"], zinc["practitioner"], zinc["status"]) == ("Mia Stone", "Ana Ruiz", "Late")
    assert (zinc["share_of_days_covered"], zinc["days_late"], zinc["window_last_day"]) == ("79 %", "12", "2026-11-22")
    assert (rescue["status"], rescue["share_of_days_covered"]) == ("Cannot measure", "")
    assert rescue["could_not_measure_because"] == "it is taken as needed, so there is no daily amount"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1+1", "|calc", "%0"])
def test_no_cell_starts_a_formula(con: duckdb.DuckDBPyConnection, write: Write, text: str) -> None:
    assert cell(text).startswith("'")
    patient(con, "p1", text, "")
    row(con, "p1", "covered", text, dosage_text=text)
    (found,) = exported(write)
    assert [found[name][:1] for name in ("patient", "product", "dosage")] == ["'"] * 3


@pytest.mark.parametrize(
    ("value", "shown"), [(None, ""), ("", ""), (7, "7"), (date(2026, 1, 2), "2026-01-02"), ("Zoë", "Zoë")]
)
def test_plain_values_stay_as_they_are(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_patients_who_left_fullscript_are_not_in_it(con: duckdb.DuckDBPyConnection, write: Write) -> None:
    patient(con, "p1", removed_at=date(2026, 11, 1))
    row(con, "p1", "covered")
    assert exported(write) == []
