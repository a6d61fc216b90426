"""The spreadsheet files beside the clinic page: the page's words, nothing that would run, everyone in them once."""

import csv
from datetime import date

import duckdb
import pytest

from fullscript_pipeline.reports.export import COLUMNS, safe_cell
from fullscript_pipeline_tests.helpers.mart_fixtures import LATE, NO_FIGURES, patient, row
from fullscript_pipeline_tests.helpers.page_writing import Write
from fullscript_pipeline_tests.helpers.workbooks import Row, read_sheets, read_tables, sentences


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


def table(write: Write) -> list[Row]:
    """The rows of the first sheet by their header."""
    return read_tables(write().clinic_page.with_name("supply.xlsx"))["supply"]


NASTY = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1+1", "|calc", "%0", "{=1+1}", "http://evil", "\ufffe=1"]


@pytest.mark.parametrize("text", NASTY)
def test_no_cell_of_the_workbook_is_a_formula_or_a_link(
    con: duckdb.DuckDBPyConnection, write: Write, text: str
) -> None:
    patient(con, "p1", text, "")
    row(con, "p1", "covered", text, dosage_text=text + "x" * 40_000)
    (values,) = table(write)
    assert not [kind for kind, _ in values.values() if kind == "f"]
    assert values["product"] == ("s", text.replace("\ufffe", ""))
    assert len(values["dosage"][1]) == 32_000


def test_the_workbook_has_numbers_days_and_its_limits(con: duckdb.DuckDBPyConnection, write: Write) -> None:
    patient(con, "p1", date_of_birth=date(1890, 1, 1))
    row(con, "p1", product="Zinc", **LATE)
    (values,) = table(write)
    book = write().clinic_page.with_name("supply.xlsx")
    assert [cell.value for cell in read_sheets(book)["supply"][0].values()] == list(COLUMNS)
    assert values["date_of_birth"] == ("s", "1890-01-01"), "before Excel's calendar begins"
    assert values["days_late"] == ("n", "12")
    assert values["supply_until"].day == date(2026, 11, 10)
    about = sentences(book)
    assert "as of the end of 22 Nov 2026" in about
    assert "Buying does not show taking" in about


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1+1", "|calc", "%0"])
def test_no_cell_starts_a_formula(con: duckdb.DuckDBPyConnection, write: Write, text: str) -> None:
    assert safe_cell(text).startswith("'")
    patient(con, "p1", text, "")
    row(con, "p1", "covered", text, dosage_text=text)
    (found,) = exported(write)
    assert [found[name][:1] for name in ("patient", "product", "dosage")] == ["'"] * 3


@pytest.mark.parametrize(
    ("value", "shown"), [(None, ""), ("", ""), (7, "7"), (date(2026, 1, 2), "2026-01-02"), ("Zoë", "Zoë")]
)
def test_plain_values_stay_as_they_are(value: object, shown: str) -> None:
    assert safe_cell(value) == shown


def test_patients_who_left_fullscript_are_not_in_it(con: duckdb.DuckDBPyConnection, write: Write) -> None:
    patient(con, "p1", removed_at=date(2026, 11, 1))
    row(con, "p1", "covered")
    assert exported(write) == []
