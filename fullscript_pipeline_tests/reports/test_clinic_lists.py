"""A clinic's lists: who is new and gone, set aside, labs, as needed, the trend, contact, the workbook, the search."""

import io
import re
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fullscript_pipeline.reports import PatientSnooze, ReportPolicy, ReportStore
from fullscript_pipeline.reports.clinic_pages.call_list import last_monday
from fullscript_pipeline_tests.helpers.browser import BROWSER, DRIVER, browser
from fullscript_pipeline_tests.helpers.html import read
from fullscript_pipeline_tests.helpers.mart_fixtures import CLINIC, LATE, NEVER, insert, patient, row
from fullscript_pipeline_tests.helpers.page_writing import Write

MONDAY = date(2026, 11, 16)
FIRST_PULL = datetime(2026, 11, 10, 9, tzinfo=UTC)


@pytest.fixture
def people(con: duckdb.DuckDBPyConnection) -> None:
    """Two who are late, one who is not, and one without a plan."""
    for ident, last in (("pat-1", "Early"), ("pat-2", "Later"), ("pat-3", "Fine"), ("pat-4", "Planless")):
        patient(con, ident, "Mia", last, email=f"{last.lower()}@example.com", mobile_number="+1 555 0100")
    row(con, "pat-1", **LATE)
    row(con, "pat-2", **(LATE | {"run_out_on": date(2026, 11, 19), "days_late": 4}), practitioner_id="doc-2")
    row(con, "pat-3", "covered")


def spell(con: duckdb.DuckDBPyConnection, patient_id: str, verdict: str, since: date, until: date | None) -> None:
    insert(
        con,
        "marts.patient_verdicts",
        clinic_id=CLINIC,
        patient_id=patient_id,
        verdict=verdict,
        since=since,
        until=until,
    )


@pytest.mark.parametrize(
    ("day", "monday"),
    [(date(2026, 11, 22), MONDAY), (date(2026, 11, 16), date(2026, 11, 9)), (date(2026, 11, 17), MONDAY)],
)
def test_the_last_monday_is_before_the_day(day: date, monday: date) -> None:
    assert last_monday(day) == monday


def test_who_is_new_and_who_came_off_since_monday(
    con: duckdb.DuckDBPyConnection, people: None, store: ReportStore, write: Write
) -> None:
    assert "Since last Monday" not in read(write().clinic_page).text
    spell(con, "pat-1", "just_ran_out", date(2026, 11, 10), date(2026, 11, 18))
    spell(con, "pat-1", "late", date(2026, 11, 18), None)
    spell(con, "pat-2", "on_track", date(2026, 11, 10), date(2026, 11, 19))
    spell(con, "pat-2", "just_ran_out", date(2026, 11, 19), None)
    spell(con, "pat-3", "late", date(2026, 11, 10), date(2026, 11, 17))
    text = read(write().clinic_page).text
    assert "Since last Monday (16 Nov 2026): 1 new on the list, 1 came off." in text
    assert "Who came off the list Mia Fine" in text
    assert text.count("new since Monday") == 1
    mine = read(store.path_for_practitioner("green-hill", "doc-2")).text
    assert "1 new on the list, 0 came off." in mine


def test_nobody_says_what_changed_before_a_monday_was_recorded(
    con: duckdb.DuckDBPyConnection, people: None, write: Write
) -> None:
    spell(con, "pat-1", "late", MONDAY + timedelta(days=1), None)
    assert "Since last Monday" not in read(write().clinic_page).text


def test_who_is_set_aside_is_shown_apart(people: None, store: ReportStore, write: Write) -> None:
    page = read(write(snoozes={"pat-1": PatientSnooze(until=date(2026, 12, 6), note="=travels")}).clinic_page)
    called, aside = page.text.split("Off the call list until the day shown")
    assert "1 patient to talk to." in called
    assert "Mia Early" not in called
    assert "Mia Early 6 Dec 2026 12 days late =travels" in aside
    sheet = _sheets(store)["sheet1"]
    assert sheet.index("Mia Later") < sheet.index("Mia Early")
    assert "=travels" in sheet


def test_contact_is_shown_only_where_it_is_allowed_and_the_guardians_for_a_dependent(
    con: duckdb.DuckDBPyConnection, people: None, store: ReportStore, write: Write
) -> None:
    con.execute("UPDATE core.patients SET guardian_patient_id = 'pat-4' WHERE patient_id = 'pat-2'")
    con.execute("UPDATE core.patients SET text_message_notification = false WHERE patient_id = 'pat-1'")
    text = read(write(shows_contact=True).clinic_page).text
    assert "+1 555 0100, early@example.com (text reminders are off)" in text
    assert "Guardian Mia Planless: +1 555 0100, planless@example.com" in text
    assert "later@example.com" not in text
    write()
    for path in [path for path in store.root.rglob("*") if path.suffix in {".html", ".xlsx", ".csv"}]:
        pages = [path.read_bytes()] if path.suffix != ".xlsx" else [text.encode() for text in _texts(path).values()]
        assert not any(b"@example.com" in page or b"555 0100" in page for page in pages)
    assert "Guardian Mia Planless" in read(store.path_for_clinic("green-hill")).text


def test_labs_to_act_on_say_what_to_do_and_since_when(
    con: duckdb.DuckDBPyConnection, people: None, write: Write
) -> None:
    insert(con, "history.lab_orders", clinic_id=CLINIC, lab_order_id="l1", known_at=FIRST_PULL)
    later = FIRST_PULL + timedelta(days=3)
    for ident, state, since in (
        ("l1", "not_purchased", FIRST_PULL), ("l2", "results_ready", later), ("l3", "processing", later),
        ("l4", "schedule_appointment", FIRST_PULL - timedelta(days=9)),
    ):  # fmt: skip
        insert(con, "core.lab_orders", clinic_id=CLINIC, lab_order_id=ident, patient_id="pat-3", name=f"Panel {ident}",
               state=state, valid_from=since)  # fmt: skip
    insert(con, "core.treatment_plans", clinic_id=CLINIC, treatment_plan_id="t9", patient_id="pat-4", state="active",
           available_at=later)  # fmt: skip
    insert(con, "core.lab_recommendations", clinic_id=CLINIC, treatment_plan_id="t9", name="Iron panel")
    text = read(write().clinic_page).text
    assert "Labs to act on: 4" in text
    order = ["Panel l2", "Panel l4", "Panel l1", "Iron panel"]
    assert [text.index(name) for name in order] == sorted(text.index(name) for name in order)
    assert "Panel l3" not in text
    assert "Panel l1 Ask whether the test is still wanted known since the first pull, 10 Nov 2026" in text
    assert "Panel l4 Ask whether the appointment is made since 1 Nov 2026" in text
    assert "Look at the results since 13 Nov 2026" in text
    assert "Mia Planless Iron panel Ask whether the test is still wanted since 13 Nov 2026" in text


@pytest.mark.parametrize(
    "listed",
    [
        "DELETE FROM ops.pulls",
        "UPDATE ops.pulls SET complete = false",
        "UPDATE ops.pulls SET observed_at = '2026-11-12 12:00:00+00'",
        "INSERT INTO ops.pulls VALUES ('clinic-1', 'lab_orders', 'not_available', false, now(), now())",
    ],
    ids=["never listed", "listed in part", "listed before the plan", "refused since"],
)
def test_a_panel_is_called_not_ordered_only_where_lab_orders_could_be_read(
    con: duckdb.DuckDBPyConnection, people: None, write: Write, listed: str
) -> None:
    insert(con, "core.treatment_plans", clinic_id=CLINIC, treatment_plan_id="t9", patient_id="pat-4", state="active",
           available_at=FIRST_PULL + timedelta(days=3))  # fmt: skip
    insert(con, "core.lab_recommendations", clinic_id=CLINIC, treatment_plan_id="t9", name="Iron panel")
    assert "Iron panel" in read(write().clinic_page).text
    con.execute(listed)
    assert "Iron panel" not in read(write().clinic_page).text


@pytest.mark.parametrize("form", [{"status": "as_needed"}, {"status": "not_measurable", "measurable": "prn"}])
def test_what_is_taken_as_needed_is_apart_and_never_late(
    con: duckdb.DuckDBPyConnection, people: None, write: Write, form: dict[str, Any]
) -> None:
    row(con, "pat-3", product="Rescue", **form)
    row(con, "pat-4", product="Drops", **(form | {"last_order_on": None}))
    called, apart = read(write().clinic_page).text.split("they are not in the call list")
    assert "2 patients to talk to." in called
    assert "Rescue" not in called
    assert "Mia Fine Rescue 12 Sep 2026" in apart
    assert "Mia Planless Drops not ordered yet" in apart


def test_the_trend_counts_products_that_were_covered_on_the_last_day_of_each_month(
    con: duckdb.DuckDBPyConnection, people: None, write: Write
) -> None:
    """Three products since March; one has a gap over 30 April, one is in a gap since 10 November."""
    for ident, start, end in (
        ("pat-1", date(2026, 4, 20), date(2026, 5, 3)), ("pat-1", date(2026, 11, 10), date(2026, 11, 23)),
        ("pat-2", date(2026, 11, 19), date(2026, 11, 23)),
    ):  # fmt: skip
        insert(con, "marts.adherence_gaps", clinic_id=CLINIC, patient_id=ident, treatment_plan_id="plan-1",
               product_id="p-Magnesium", gap_start=start, gap_end=end)  # fmt: skip
    text = read(write().clinic_page).text
    assert "Mar 2026: 3 of 3, Apr 2026: 2 of 3, May 2026: 3 of 3" in text
    assert "and Nov 2026: 1 of 3" in text
    assert "33 %" in text
    assert "Feb 2026" not in text


def _sheets(store: ReportStore) -> dict[str, str]:
    return _texts(store.path_for_call_list("green-hill"))


def _texts(path: Path) -> dict[str, str]:
    """The texts of each sheet of a workbook, in the order of its cells."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        names = archive.namelist()
        assert not any("vbaProject" in name or "externalLink" in name for name in names)
        strings = re.findall(r"<t[^>]*>([^<]*)</t>", archive.read("xl/sharedStrings.xml").decode())
        sheets = {
            Path(name).stem: archive.read(name).decode() for name in names if name.startswith("xl/worksheets/sheet")
        }
    for sheet in sheets.values():
        assert "<f>" not in sheet
    return {
        name: "\n".join(strings[int(number)] for number in re.findall(r't="s"><v>(\d+)</v>', sheet))
        for name, sheet in sheets.items()
    }


def test_the_workbook_has_empty_columns_for_the_clinic_and_no_formula(
    con: duckdb.DuckDBPyConnection, people: None, store: ReportStore, write: Write
) -> None:
    patient(con, "pat-9", "=HYPERLINK(1)", "@evil")
    row(con, "pat-9", product="+cmd", **NEVER)
    write()
    sheet = _sheets(store)["sheet1"]
    for column in ("called on", "result", "note", "patient id", "next step", "days late"):
        assert column in sheet.splitlines()
    assert "=HYPERLINK(1) @evil" in sheet
    assert sheet.splitlines()[-1] == "pat-2"
    write(language="fr")
    assert "appelé le" in _sheets(store)["sheet1"].splitlines()


def test_a_french_page_says_the_same_numbers(people: None, write: Write) -> None:
    english, french = (read(write(language=code).clinic_page).text for code in ("en", "fr"))
    assert "2 patients to talk to." in english
    assert "2 patients à joindre." in french
    assert "12 jours de retard" in french
    assert "la réserve s’est terminée le 9 nov. 2026" in french
    for text in ("Next step", "days late", "Ask whether", "Call list"):
        assert text in english
        assert text not in french


def test_a_to_z_knows_letters_and_further_pages(
    con: duckdb.DuckDBPyConnection, people: None, store: ReportStore, write: Write
) -> None:
    patient(con, "pat-5", "Zoé", "Élan")
    patient(con, "pat-6", "李", "小龍")
    write(policy=ReportPolicy(patients_per_page=3))
    first, second = (read(store.path_for_directory("green-hill", page)) for page in (1, 2))
    shown = [re.findall("Early|Élan|Fine|Later|Planless|小龍", page.text) for page in (first, second)]
    assert shown == [["Early", "Élan", "Fine", "Later", "Planless", "小龍"], ["Later", "Planless", "小龍"]]
    assert 'id="letter-other"' in second.html
    assert 'id="letter-E"' in first.html
    assert 'id="letter-L"' in second.html
    assert 'href="a-z-page-2.html#letter-L"' in first.html
    assert '["Planless, Mia","a-z-page-2.html#pat-4",""]' in first.html
    assert "Search on the first page" in second.text


@pytest.mark.check_all
@pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="no Chromium with chromedriver found")
def test_the_search_finds_names_on_this_page_and_on_others_without_a_network(
    con: duckdb.DuckDBPyConnection, people: None, store: ReportStore, write: Write, tmp_path: Path
) -> None:
    patient(con, "pat-5", "Zoé", "Élan")
    write(policy=ReportPolicy(patients_per_page=3))
    seen = "return [...document.querySelectorAll('tr[data-p]')].filter(row => !row.hidden).length"
    type_in = (
        "const box = document.getElementById(arguments[0]); box.value = arguments[1];"
        "box.dispatchEvent(new Event(arguments[0] === 'find' ? 'input' : 'change'))"
    )
    with browser(tmp_path / "profile") as window:
        window.open(store.path_for_directory("green-hill").as_uri())
        assert window.run("return document.getElementById('search').hidden") is False
        window.run(type_in, "find", "elan zo")
        assert window.run(seen) == 1
        assert "patients found: 1" in window.text()
        window.run(type_in, "find", "mia")
        assert window.run(seen) == 2
        assert "patients found: 4" in window.text()
        window.click("planless, mia")
        assert window.address.endswith("a-z-page-2.html#pat-4")
        window.open(store.path_for_directory("green-hill").as_uri())
        window.run(type_in, "who", window.run("return [...who.options].find(one => one.text.startsWith('Zo')).value"))
        assert "patients found: 1" in window.text()
