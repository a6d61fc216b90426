"""Whole pages, written from a small warehouse and read back."""

import re
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.reports import ReportPolicy, ReportStore, write_index
from fullscript_pipeline_tests.helpers import mart_fixtures
from fullscript_pipeline_tests.helpers.html import read
from fullscript_pipeline_tests.helpers.mart_fixtures import (
    NOON,
    demo_patient,
    insert,
    patient,
    row,
    timeline,
    usual_lane,
)
from fullscript_pipeline_tests.helpers.page_writing import Write, page_of

NASTY = "<script>alert(1)</script>\u202egnp.exe '\"=HYPERLINK(1)"


def test_a_patient_page_says_what_to_talk_about_first(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    demo_patient(con)
    written = write()
    assert written.patient_pages == 1
    page = page_of(store, "pat-1")
    assert "1 of 7 products looks on track. 1 product looks late." in page.text
    assert "9 Nov 2026 12 days late" in page.text
    assert "79 % below the 80 % line" in page.text
    assert "62–93 % either side of the 80 % line" in page.text
    assert "Could not measure because it is taken as needed" in page.text
    assert "Last order 12 Sep 2026: 180 capsules ÷ 2 per day = 90 days." in page.text
    assert "180 softgels ÷ 1 to 2 per day = 90 to 180 days." in page.text
    assert "248.5 of 267 days covered by orders" in page.text
    assert "Based on Fullscript orders only. Buying does not show taking" in page.text
    assert "line 80 % of days covered" in page.text
    order = [page.text.index(product) for product in ("Vitamin D3", "Zinc", "Omega-3", "Magnesium", "Curcumin")]
    assert order == sorted(order)


def test_every_page_is_well_formed_and_named_and_only_the_search_is_a_script(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    """What an accessibility checker asks first: lang, one h1, headings in order, captions, scopes, unique ids."""
    demo_patient(con)
    patient(con, "pat-2", "José", "Núñez")
    row(con, "pat-2", "covered", practitioner_id="doc-2")
    write()
    write_index(store, rendered_at=NOON, time_zone=ZoneInfo("UTC"), clinic_names={"green-hill": "Green Hill Health"})
    pages = sorted(store.root.rglob("*.html"))
    assert len(pages) == 10
    for path in pages:
        page = read(path)
        assert page.stack_errors == 0
        assert page.all("html") == [{"lang": "en"}]
        has_script = path.stem.endswith("a-z")
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        assert len(page.all("caption")) == len(page.all("table"))
        assert all("scope" in attrs for attrs in page.all("th"))
        ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
        assert len(ids) == len(set(ids))
        assert not page.all("img", "link", "iframe", "form")
        assert len(page.all("script")) == has_script
        assert not [attrs for _, attrs in page.tags if "style" in attrs or any(name.startswith("on") for name in attrs)]
        policy = next(attrs["content"] for attrs in page.all("meta") if attrs.get("http-equiv"))
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert ("script-src 'sha256-" in policy) == has_script
        assert "http://" not in page.html
        assert "https://" not in page.html


def test_links_lead_to_pages_and_anchors_that_exist(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    for number in range(7):
        patient(con, f"p{number}")
        row(con, f"p{number}", "covered" if number % 2 else "never_ordered", practitioner_id=f"doc-{number % 3}")
    write(policy=ReportPolicy(patients_per_page=2, calls_per_page=2))
    write_index(store, rendered_at=NOON, time_zone=ZoneInfo("UTC"))
    for path in store.root.rglob("*.html"):
        for link in read(path).all("a"):
            target, _, anchor = link["href"].partition("#")
            aim = (path.parent / target).resolve() if target else path
            assert aim.is_file(), (path, link)
            assert not anchor or f'id="{anchor}"' in aim.read_text(encoding="utf-8")


def test_nasty_text_stays_text(con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write) -> None:
    con.execute("UPDATE core.clinics SET name = ?", [NASTY])
    insert(con, "core.practitioners", clinic_id=mart_fixtures.CLINIC, practitioner_id="doc-x", first_name=NASTY)
    patient(con, "pat-1", NASTY, "👩‍⚕️ אבג")
    row(con, "pat-1", "not_measurable", NASTY, brand_name=NASTY, dosage_text=NASTY, reason=NASTY, unit=NASTY,
        practitioner_id="doc-x", flags=[NASTY], measurable="unparsable_dosage")  # fmt: skip
    usual_lane(con, "pat-1", NASTY)
    insert(con, "core.lab_orders", clinic_id=mart_fixtures.CLINIC, lab_order_id="l", patient_id="pat-1", name=NASTY,
           state=NASTY, state_raw=NASTY, valid_from=NOON)  # fmt: skip
    write()
    for path in store.root.rglob("*.html"):
        page = read(path)
        assert len(page.all("script")) == path.stem.endswith("a-z")
        assert "\u202e" not in page.html
        assert "alert(1)" in page.text
        assert page.stack_errors == 0


def test_labs_show_states_and_dates_only_where_the_clinic_has_labs(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    demo_patient(con)
    patient(con, "pat-2")
    row(con, "pat-2", "covered")
    write()
    assert "Labs" not in page_of(store, "pat-1").text
    lab = {"clinic_id": mart_fixtures.CLINIC, "patient_id": "pat-1", "valid_from": NOON - timedelta(days=3)}
    insert(con, "core.lab_orders", lab_order_id="l1", name="Thyroid", state="not_purchased", **lab)
    insert(con, "core.lab_orders", lab_order_id="l2", name="Vitamin D", state="results_ready", **lab)
    insert(con, "core.lab_orders", lab_order_id="l3", name="Gone", state="purchased", removed_at=NOON, **lab)
    insert(con, "core.lab_orders", lab_order_id="l4", name="Iron", state="teleported", state_raw="Teleported", **lab)
    write()
    text = page_of(store, "pat-1").text
    assert "Vitamin D : Results ready, since 19 Nov 2026" in text
    assert "Thyroid : Recommended, not bought" in text
    assert "State as Fullscript gives it: Teleported" in text
    assert "Gone" not in text
    assert text.index("Vitamin D :") < text.index("Thyroid :")
    assert "No lab orders or recommended panels seen for this patient" in page_of(store, "pat-2").text


def test_refunded_orders_are_told_and_not_counted(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    patient(con, "pat-1")
    row(con, "pat-1", "covered", "Zinc")
    con.execute(
        "INSERT INTO core.variants (region, variant_id, product_id, units) "
        "VALUES ('us', 'v1', 'p-Zinc', 60), ('ca', 'v1', 'other', 60)"
    )
    insert(con, "core.orders", clinic_id=mart_fixtures.CLINIC, order_id="o1", patient_id="pat-1", is_refunded=True)
    for position in (0, 1):
        insert(
            con,
            "core.order_line_items",
            clinic_id=mart_fixtures.CLINIC,
            order_id="o1",
            position=position,
            variant_id="v1",
        )
    write()
    assert "1 refunded order with this product not counted." in page_of(store, "pat-1").text


def test_the_call_list_has_who_waits_longest_first_and_a_to_z_has_everybody(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    demo_patient(con, "pat-1", first="Mia", last="Late")
    for ident, last, status, more in (
        ("pat-2", "Soon", "covered", {"due_in_days": 3}),
        ("pat-3", "Never", "never_ordered", mart_fixtures.NEVER),
        ("pat-4", "Old", "never_ordered", mart_fixtures.NEVER),
    ):
        patient(con, ident, "A", last, archived=ident == "pat-4")
        row(con, ident, **({"status": status} | more))
    patient(con, "pat-5", "No", "Plan")
    patient(con, "pat-6", "Gone", "Away", removed_at=NOON)
    row(con, "pat-6", "covered")
    page = read(write().clinic_page)
    places = [page.text.index(name) for name in ("A Never", "Mia Late")]
    assert places == sorted(places)
    assert "Not ordered for 267 days" in page.text
    assert "12 days late" in page.text
    assert "Vitamin D3 + K2 +1 Ask whether they want a refill; the last pack ended 9 Nov 2026." in page.text
    assert "Ask whether they still want it; recommended 1 Mar 2026, not ordered since." in page.text
    assert "Recommended 30 or more days ago and not ordered: 2 products (patients: 2)." in page.text
    assert "A to Z: 5 patients" in page.text
    for name in ("Soon", "Old", "Plan", "Away"):
        assert name not in page.text
    everybody = read(store.path_for_directory("green-hill")).text
    places = [everybody.index(name) for name in ("Late, Mia", "Never, A", "Old, A", "Plan, No", "Soon, A")]
    assert places == sorted(places)
    assert "No plan to follow" in everybody
    assert "Archived in Fullscript" in everybody
    assert "Away" not in everybody
    assert not store.path_for_patient("green-hill", "pat-6").exists()


def test_a_line_that_is_over_needs_no_question_even_where_it_could_not_be_measured(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    patient(con, "pat-1")
    ended = mart_fixtures.NO_FIGURES | {"measurable": "prn", "window_end": date(2026, 11, 20)}
    row(con, "pat-1", "not_measurable", "Rescue", **ended)
    write()
    page = page_of(store, "pat-1")
    assert "1 product is stopped." in page.text
    assert "Stopped over; could not be measured" in page.text
    assert "Ask directly" not in read(store.path_for_clinic("green-hill")).text


def test_a_product_of_two_plans_is_one_row_and_namesakes_are_told_apart(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    patient(con, "pat-1", "Mia", "Stone", date_of_birth=date(1980, 2, 3))
    patient(con, "pat-2", "Mia", "Stone", date_of_birth=None)
    patient(con, "pat-3", "Leo", "Stone")
    for ident in ("pat-1", "pat-2", "pat-3"):
        row(con, ident, "covered", "Zinc")
        usual_lane(con, ident, "Zinc")
    row(con, "pat-1", "plan_cancelled", "Zinc", treatment_plan_id="plan-0", plan_started_on=date(2025, 12, 1),
        is_current=False, continued_by="plan-1")  # fmt: skip
    con.execute("INSERT INTO marts.adherence_timeline SELECT * REPLACE ('plan-0' AS treatment_plan_id) "
                "FROM marts.adherence_timeline WHERE patient_id = 'pat-1'")  # fmt: skip
    write()
    people = read(store.path_for_directory("green-hill")).text
    assert "Stone, Mia, born 3 Feb 1980" in people
    assert people.count("born") == 1
    text = page_of(store, "pat-1").text
    assert "1 product looks on track." in text
    assert "Plan of 1 Dec 2025: 2 capsules per day; days covered: 93 %; continued by the plan of 1 Mar 2026." in text
    assert "Plan of" not in page_of(store, "pat-3").text


def test_two_brands_of_one_name_are_told_apart_in_the_timeline(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    patient(con, "pat-1")
    for product, brand in (("a", "Fjordline"), ("b", "Mossgate")):
        row(con, "pat-1", "covered", "Zinc", product_id=f"p-{product}", brand_name=brand)
        usual_lane(con, "pat-1", product)
    write()
    text = page_of(store, "pat-1").text
    assert "Zinc, Fjordline" in text
    assert "Zinc, Mossgate" in text


def test_a_practitioner_has_a_list_of_the_own_patients(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    for ident, practitioner in (("pat-1", "doc-1"), ("pat-2", "doc-2"), ("pat-3", "doc-2")):
        patient(con, ident, "Pat", ident)
        row(con, ident, "covered", practitioner_id=practitioner)
    write()
    listed = store.path_for_practitioner("green-hill", "doc-2")
    for page in (listed, listed.with_name("doc-2-a-z.html")):
        assert "Patients of one practitioner: Zoë O'Hara" in read(page).text
    assert "A to Z: 2 patients" in read(listed).text
    assert "pat-2, Pat" in read(page).text
    assert "pat-1" not in read(page).text


def test_only_the_touched_patients_pages_are_rewritten(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    for ident in ("pat-1", "pat-2", "pat-3"):
        patient(con, ident)
        row(con, ident, "covered")
    write()
    before = store.path_for_patient("green-hill", "pat-2").stat().st_mtime_ns
    con.execute("UPDATE core.patients SET first_name = 'Renamed'")
    con.execute("UPDATE core.patients SET removed_at = now() WHERE patient_id = 'pat-3'")
    assert write(patient_ids=["pat-1", "pat-3"]).patient_pages == 1
    assert "Renamed" in page_of(store, "pat-1").text
    assert store.path_for_patient("green-hill", "pat-2").stat().st_mtime_ns == before
    assert not store.path_for_patient("green-hill", "pat-3").exists()
    assert "Renamed" in read(store.path_for_directory("green-hill")).text


def test_a_full_writing_removes_pages_of_who_is_gone(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    for number in range(5):
        patient(con, f"p{number}")
        row(con, f"p{number}", "covered", practitioner_id=f"doc-{number}")
    write(policy=ReportPolicy(patients_per_page=2))
    assert store.path_for_directory("green-hill", 3).exists()
    for table in ("marts.adherence", "core.patients"):
        con.execute(f"DELETE FROM {table} WHERE patient_id <> 'p1'")
    write(policy=ReportPolicy(patients_per_page=2))
    left = sorted(path.relative_to(store.root).as_posix() for path in store.root.rglob("*.html"))
    folder = "clinics/green-hill"
    lists = ["a-z.html", "catalog.html", "index.html"]
    pages = [*lists, "patients/p1.html", "practitioners/doc-1-a-z.html", "practitioners/doc-1.html"]
    assert left == [f"{folder}/{page}" for page in pages]


def test_a_clinic_without_recommendations_says_so(write: Write) -> None:
    written = write()
    assert written.patient_pages == 0
    assert "No patient has a recommendation to follow yet." in read(written.clinic_page).text


def test_an_unknown_clinic_is_a_sentence(write: Write) -> None:
    with pytest.raises(UsageError, match="Clinic nobody is not in the warehouse"):
        write(clinic_id="nobody")


def test_another_clinics_rows_never_show(con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write) -> None:
    """Same patient and plan ids in another clinic: every query is bound to the clinic."""
    demo_patient(con)
    for table in ("marts.adherence", "marts.adherence_timeline", "core.patients", "core.lab_orders"):
        con.execute(f"INSERT INTO {table} SELECT * REPLACE ('clinic-2' AS clinic_id) FROM {table}")
    con.execute("UPDATE core.patients SET last_name = 'Foreign' WHERE clinic_id = 'clinic-2'")
    con.execute("UPDATE marts.adherence SET product_name = 'Foreign' WHERE clinic_id = 'clinic-2'")
    written = write()
    assert written.patient_pages == 1
    assert "1 of 7 products" in page_of(store, "pat-1").text
    assert not [path for path in store.root.rglob("*.html") if "Foreign" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_clinic_page_of_500_patients_is_small(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write, language: str
) -> None:
    """Ids as long as the vendor's, names, contacts and products of usual length, four products each, all to call."""
    for number in range(500):
        contact = {"email": f"alexandra.featherstone{number}@example.com", "mobile_number": "+1 416 555 0100"}
        patient(con, f"3f2b8c1e-7a4d-4c55-9e21-{number:012d}", "Alexandra", f"Featherstone{number}", **contact)
    row(con, "pat", "covered", "Magnesium Bisglycinate 200 mg")
    con.execute(
        "INSERT INTO marts.adherence SELECT a.* REPLACE (p.patient_id AS patient_id, 'plan-' || n AS treatment_plan_id,"
        " ['covered', 'out_of_supply', 'never_ordered', 'indeterminate'][1 + (n + length(p.last_name)) % 4] AS status)"
        " FROM marts.adherence a, core.patients p, range(4) AS r(n)"
    )
    con.execute("DELETE FROM marts.adherence WHERE patient_id = 'pat'")
    written = write(shows_contact=True, language=language)
    assert written.patient_pages == 500
    called = [store.path_for_clinic("green-hill", page) for page in (1, 2)]
    assert sum(len(read(page).all("th")) - 4 for page in called) == 500
    everybody = store.path_for_directory("green-hill")
    assert len(read(everybody).all("th")) - 4 == 500
    for page in (*called, everybody):
        assert page.stat().st_size <= 200_000


@pytest.mark.parametrize("orders", [0, 2000])
def test_a_patient_page_stays_small(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write, orders: int
) -> None:
    """60 products in one plan, all of them in the table; and 2,000 orders of one of them."""
    patient(con, "pat-1")
    names = [f"Magnesium Bisglycinate 200 mg, {number}" for number in range(60)]
    for name in names:
        row(con, "pat-1", "covered", name)
        usual_lane(con, "pat-1", name)
    days = [date(2021, 1, 1) + timedelta(days=n) for n in range(orders)]
    timeline(con, "pat-1", names[0], *[("order", day, day) for day in days])
    write()
    path: Path = store.path_for_patient("green-hill", "pat-1")
    assert path.stat().st_size <= 60_000
    assert all(name in read(path).text for name in names)
