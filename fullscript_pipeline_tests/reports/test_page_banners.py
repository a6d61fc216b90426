"""What every page says first when its data are old, incomplete or seen by less. What does not belong here: the rows."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline.reports import PageNotes, ReportStore
from fullscript_pipeline_tests.helpers.html import read
from fullscript_pipeline_tests.helpers.mart_fixtures import (
    NOON,
    demo_patient,
)
from fullscript_pipeline_tests.helpers.page_writing import Write, page_of

NASTY = "<script>alert(1)</script>\u202egnp.exe '\"=HYPERLINK(1)"


def test_the_banner_shows_only_when_the_data_is_old(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    demo_patient(con)
    write(last_pull_at=NOON - timedelta(hours=24))
    assert 'class="banner"' not in page_of(store, "pat-1").html
    write(last_pull_at=NOON - timedelta(hours=25), time_zone=ZoneInfo("America/Toronto"))
    for page in (page_of(store, "pat-1"), read(store.path_for_clinic("green-hill"))):
        assert "The last successful pull was on 21 Nov 2026, 06:00 America/Toronto" in page.text
    write(last_pull_at=None)
    assert "No successful pull is recorded" in page_of(store, "pat-1").text


def test_a_clinic_page_says_when_it_is_open_whether_its_patients_are_still_there(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    demo_patient(con)
    write(notes=PageNotes(held_rows={"patients": 12, "orders": 1, "treatment_plan_notes": 3}))
    said = read(store.path_for_clinic("green-hill")).text
    assert "last lists lacked 12 patients and 1 order that were there before" in said
    write()
    assert "last lists lacked" not in read(store.path_for_clinic("green-hill")).text


def test_a_clinic_page_says_what_could_not_be_read(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    demo_patient(con)
    write(notes=PageNotes(quarantined={"orders": 2, "order_line_items": 1, "practitioners": 4}))
    said = read(store.path_for_clinic("green-hill")).text
    assert "in a form that could not be read: 2 orders and 1 order line." in said
    write()
    assert "could not be read" not in read(store.path_for_clinic("green-hill")).text


def test_every_page_says_since_when_it_is_read_by_somebody_who_sees_less(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    demo_patient(con)
    write(notes=PageNotes(narrowed={"treatment_plans": NOON - timedelta(days=10), "patients": None, "staff": NOON}))
    for page in (page_of(store, "pat-1"), read(store.path_for_clinic("green-hill"))):
        assert (
            "Now read by a user or with permissions that see less: plans (last read in full on 12 Nov 2026) and "
            "patients (last read in full by an earlier user)." in page.text
        )
    write()
    assert "read in full" not in page_of(store, "pat-1").text


def test_every_page_says_when_what_it_stands_on_may_not_be_read(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    demo_patient(con)
    write(notes=PageNotes(access_refused={"orders": NOON - timedelta(days=3), "treatment_plans": None}))
    for page in (page_of(store, "pat-1"), read(store.path_for_clinic("green-hill"))):
        assert "does not let this app read orders since 19 Nov 2026, 12:00 UTC and treatment plans at all" in page.text
