"""axe-core (accessibility rules of WCAG 2.2 AA) over every kind of page in a real Chromium: no violation.

axe-core comes with the environment (requirements-axe.lock); AXE_CORE_JS names another axe.min.js.
"""

import html
import json
import os
import re
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from fullscript_pipeline.catalog import build_catalog_changes
from fullscript_pipeline.reports import PatientSnooze, ReportPolicy, ReportStore, write_catalog_digest, write_index
from fullscript_pipeline_tests.helpers import mart_fixtures
from fullscript_pipeline_tests.helpers.browser import BROWSER, chromium
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, noon, nov, observe, small_world, warehouse
from fullscript_pipeline_tests.helpers.mart_fixtures import NOON, demo_patient, insert, patient, row, usual_lane
from fullscript_pipeline_tests.helpers.page_writing import Write

pytestmark = [
    pytest.mark.check_all,
    pytest.mark.timeout(300),
    pytest.mark.skipif(BROWSER is None, reason="no Chromium found: install it (Debian: apt-get install chromium)"),
]
_RULES = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']"


def _axe() -> Path:
    # The package is only looked at: importing it would want Playwright.
    spec = find_spec("axe_playwright_python")
    folder = next(iter(spec.submodule_search_locations or ())) if spec else "axe_playwright_python"
    return Path(os.environ.get("AXE_CORE_JS") or Path(folder, "axe.min.js"))


def violations(page: Path) -> list[Any]:
    """What axe finds on a copy of the page that may run scripts, its folded parts opened."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    text = text.replace("<details>", "<details open>")
    run = (
        f"axe.run({{runOnly: {_RULES}}})"
        ".then(found => { document.title = JSON.stringify(found.violations.map(one => "
        "[one.id, one.nodes.map(node => node.html.slice(0, 120))])) })"
    )
    scripts = f"<script>{_axe().read_text(encoding='utf-8')}</script><script>{run}</script></body>"
    copy = page.with_name("axe.html")
    copy.write_text(text.replace("</body>", scripts), encoding="utf-8")
    said = chromium(copy, "--virtual-time-budget=20000", "--dump-dom").stdout
    title = re.search(r"<title>(\[.*?\])</title>", said, re.DOTALL)
    copy.unlink()
    assert title is not None, "axe did not finish"
    return list(json.loads(html.unescape(title[1])))


def none_on(pages: list[Path], least: int) -> None:
    assert len(pages) >= least
    assert {page: found for page in pages if (found := violations(page))} == {}


def test_axe_does_find_what_is_wrong(tmp_path: Path) -> None:
    page = tmp_path / "wrong.html"
    page.write_text("<!doctype html><html><body><img src='x'><p style='color:#999'>pale</p></body></html>")
    assert {"image-alt", "html-has-lang", "color-contrast"} <= {ident for ident, _ in violations(page)}


def test_adherence_pages_have_no_violations(con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write) -> None:
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
    old = NOON - timedelta(days=3)
    small = ReportPolicy(patients_per_page=8, calls_per_page=1)
    snoozes = {"pat-60": PatientSnooze(date(2026, 12, 6), nasty), "pat-3": PatientSnooze(date(2026, 12, 6), None)}
    insert(con, "marts.patient_verdicts", clinic_id=mart_fixtures.CLINIC, patient_id="pat-0", verdict="late",
           since=date(2026, 11, 1))  # fmt: skip
    write(policy=small, last_pull_at=old, rendered_at=NOON + timedelta(days=2), snoozes=snoozes, shows_contact=True)
    write_index(store, rendered_at=NOON, time_zone=ZoneInfo("UTC"), clinic_names={"green-hill": "Green Hill Health"})
    of = store.path_for_patient
    pages = [of("green-hill", f"pat-{one}") for one in ("1", "60", "nasty", "labs", "2", "3", "6")]
    pages += [store.path_for_clinic("green-hill"), store.path_for_clinic("green-hill", 2), store.path_for_index()]
    pages += [store.path_for_practitioner("green-hill", one) for one in ("doc-1", "doc-2")]
    pages += [store.path_for_directory("green-hill", page) for page in (1, 2)]
    none_on(pages, 14)


def test_pages_without_anything_have_no_violations(store: ReportStore, write: Write) -> None:
    write_index(store, rendered_at=NOON, time_zone=ZoneInfo("UTC"))
    none_on([write().clinic_page, store.path_for_index()], 2)


def test_catalog_pages_have_no_violations(store: ReportStore) -> None:
    con, world = warehouse(), small_world()
    for number in range(30):
        world["products"][f"q{number}"] = {"name": f"Filler {number}", "brand_id": "b1"}
    observe(con, world, noon(21))
    first = _written(con, store, nov(21))
    world["variants"]["p1-60"]["msrp_raw"] = "25.00"
    world["products"]["p1"]["description_html"] = "<p>Take with plenty of food.</p>"
    for number in range(20):
        world["products"][f"q{number}"]["name"] = f"Renamed {number}"
    observe(con, world, noon(22))
    build_catalog_changes(con, "us", time_zone=UTC_ZONE)
    second = _written(con, store, nov(22))
    pages = [first, second, store.path_for_watched("us", nov(22)), store.path_for_digest("us")]
    pages.append(store.path_for_brand("us", "b1"))
    for number in range(30):
        del world["products"][f"q{number}"]
    observe(con, world, noon(23))
    pages.append(_written(con, store, nov(23)))
    assert "Held:" in pages[-1].read_text(encoding="utf-8")
    con.close()
    none_on(pages, 6)


def _written(con: duckdb.DuckDBPyConnection, store: ReportStore, day: date) -> Path:
    return write_catalog_digest(
        con, store, region="us", to_day=day, rendered_at=NOON, time_zone=UTC_ZONE, watched_brands=["b1", "none"]
    ).path
