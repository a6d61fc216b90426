"""axe-core over every kind of page, in both themes, and in both languages where there are two: no violation, and no
doubt about a contrast that is not settled here.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from fullscript_pipeline.catalog import build_catalog_changes
from fullscript_pipeline.reports import PatientSnooze, ReportPolicy, ReportStore, write_catalog_digest, write_index
from fullscript_pipeline_tests.helpers import mart_fixtures
from fullscript_pipeline_tests.helpers.axe import check_page, words_in_drawings
from fullscript_pipeline_tests.helpers.browser import BROWSER, DRIVER, MISSING, Browser, browser
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, noon, nov, observe, small_world, warehouse
from fullscript_pipeline_tests.helpers.mart_fixtures import NOON, demo_patient, insert, patient, row, usual_lane
from fullscript_pipeline_tests.helpers.page_writing import Write

pytestmark = [
    pytest.mark.check_all,
    pytest.mark.timeout(900),
    pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING),
]
THEMES = ("light", "dark")
LANGUAGES = ("en", "fr")


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all pages."""
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def check_all_pages(window: Browser, pages: list[Path], least: int) -> None:
    """No violation in either theme, on a screen and on a phone, and no contrast left in doubt."""
    assert len(pages) >= least
    for page in pages:
        assert check_page(window, page, theme="dark", width=320).violations == [], page
        for theme in THEMES:
            # At full width nothing is scrolled out of sight, and the colours are those of a phone.
            found = check_page(window, page, theme=theme)
            assert found.violations == [], (page, theme)
            # axe does not see what is behind a word in a drawing.
            doubts = [doubt for doubt in found.in_doubt if "contrast" in doubt[0] and not doubt[1].startswith("<text")]
            assert doubts == [], (page, theme)
            pale = [word for word in words_in_drawings(window) if word["over"] or word["contrast"] < 4.5]
            assert pale == [], (page, theme)


def test_axe_does_find_what_is_wrong(tmp_path: Path, window: Browser) -> None:
    page = tmp_path / "wrong.html"
    page.write_text(
        "<!doctype html><html><body><img src='x'><p style='color:#999'>pale</p>"
        "<svg viewBox='0 0 99 99'><path class='c' d='M0 0h99v99h-99z'/><text x='9' y='20' fill='#777'>on a bar</text>"
    )
    found = check_page(window, page)
    assert {"image-alt", "html-has-lang", "color-contrast"} <= {rule for rule, _ in found.violations}
    (word,) = words_in_drawings(window)
    assert word["over"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_adherence_pages_have_no_violations(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write, window: Browser, language: str
) -> None:
    """Every status, sixty products on one page, text that is markup, labs, a banner, an earlier day, further pages."""
    demo_patient(con)
    patient(con, "pat-60")
    for number in range(60):
        row(con, "pat-60", "covered", f"Magnesium Bisglycinate {number}", treatment_plan_id="plan-1")
        usual_lane(con, "pat-60", f"Magnesium Bisglycinate {number}")
    nasty = "<img src=x onerror=alert(1)> אבג 👩‍⚕️"
    patient(con, "pat-nasty", nasty, nasty)
    row(con, "pat-nasty", "not_measurable", nasty, measurable="unparsable_dosage", dosage_text=nasty, reason=nasty)
    usual_lane(con, "pat-nasty", nasty)
    patient(con, "pat-labs", archived=True)
    row(con, "pat-labs", "covered", practitioner_id="doc-2")
    insert(con, "core.lab_orders", clinic_id=mart_fixtures.CLINIC, lab_order_id="l1", patient_id="pat-labs",
           name="Thyroid", state="results_ready", valid_from=NOON)  # fmt: skip
    insert(con, "core.lab_orders", clinic_id=mart_fixtures.CLINIC, lab_order_id="l2", patient_id="pat-1",
           name=nasty, state="not_purchased", valid_from=NOON)  # fmt: skip
    for number, status in enumerate(mart_fixtures.STATUSES):
        patient(con, f"pat-{number}", "Alexandra", f"Stone {number}", email="stone@example.com")
        row(con, f"pat-{number}", status, "Zinc")
    insert(con, "history.variants", region="us", variant_id="v1", valid_from=NOON, known_at=NOON, status="retired")
    con.execute("UPDATE marts.adherence SET variant_ids = ['v1'] WHERE patient_id = 'pat-60'")
    insert(con, "marts.catalog_changes", region="us", product_id="p-Zinc", entity="product", entity_id="p-Zinc",
           change="changed", field="name", old_value="Zinc", new_value=nasty, cosmetic=False, active_plans=3,
           changed_on=mart_fixtures.AS_OF, seen_on=mart_fixtures.AS_OF)  # fmt: skip
    old = NOON - timedelta(days=3)
    small = ReportPolicy(patients_per_page=8, calls_per_page=1)
    snoozes = {
        "pat-60": PatientSnooze(until=date(2026, 12, 6), note=nasty),
        "pat-3": PatientSnooze(until=date(2026, 12, 6), note=None),
    }
    insert(con, "marts.patient_verdicts", clinic_id=mart_fixtures.CLINIC, patient_id="pat-0", verdict="late",
           since=date(2026, 11, 1))  # fmt: skip
    write(policy=small, last_pull_at=old, rendered_at=NOON + timedelta(days=2), snoozes=snoozes, shows_contact=True,
          language=language)  # fmt: skip
    write_index(store, rendered_at=NOON, time_zone=ZoneInfo("UTC"), clinic_names={"green-hill": "Green Hill Health"},
                language=language)  # fmt: skip
    of = store.path_for_patient
    pages = [of("green-hill", f"pat-{one}") for one in ("1", "60", "nasty", "labs", "2", "3", "6")]
    pages += [store.path_for_clinic("green-hill"), store.path_for_clinic("green-hill", 2), store.path_for_index()]
    pages.append(pages[-3].with_name("catalog.html"))
    pages += [store.path_for_practitioner("green-hill", one) for one in ("doc-1", "doc-2")]
    pages += [store.path_for_directory("green-hill", page) for page in (1, 2)]
    check_all_pages(window, pages, 15)


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_without_anything_have_no_violations(
    store: ReportStore, write: Write, window: Browser, language: str
) -> None:
    write_index(store, rendered_at=NOON, time_zone=ZoneInfo("UTC"), language=language)
    pages = [write(language=language).clinic_page, store.path_for_directory("green-hill"), store.path_for_index()]
    check_all_pages(window, pages, 3)


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalog_pages_have_no_violations(store: ReportStore, window: Browser, language: str) -> None:
    con, world = warehouse(), small_world()
    for number in range(30):
        world["products"][f"q{number}"] = {"name": f"Filler {number}", "brand_id": "b1"}
    observe(con, world, noon(21))
    first = _written(con, store, nov(21), language)
    world["variants"]["p1-60"]["msrp_raw"] = "25.00"
    world["products"]["p1"]["description_html"] = "<p>Take with plenty of food.</p>"
    for number in range(20):
        world["products"][f"q{number}"]["name"] = f"Renamed {number}"
    observe(con, world, noon(22))
    build_catalog_changes(con, "us", time_zone=UTC_ZONE)
    second = _written(con, store, nov(22), language)
    pages = [first, second, store.path_for_watched("us", nov(22)), store.path_for_digest("us")]
    pages += [store.path_for_brand("us", "b1"), store.path_for_product("us", "p1")]
    pages += [store.path_for_catalog_list("us", name) for name in ("brands", "products")]
    for number in range(30):
        del world["products"][f"q{number}"]
    observe(con, world, noon(23))
    pages.append(_written(con, store, nov(23), language))
    assert {"en": "Held:", "fr": "Retenu"}[language] in pages[-1].read_text(encoding="utf-8")
    con.close()
    check_all_pages(window, pages, 9)


def _written(con: duckdb.DuckDBPyConnection, store: ReportStore, day: date, language: str) -> Path:
    return write_catalog_digest(
        con,
        store,
        region="us",
        to_day=day,
        rendered_at=NOON,
        time_zone=UTC_ZONE,
        watched_brands=["b1", "none"],
        language=language,
    ).path
