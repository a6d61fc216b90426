"""Pages in a real Chromium: the style sheet passes the page's own policy, a phone needs no sideways scrolling, paper
takes one sheet and one for the arithmetic.
"""

import re
from pathlib import Path

import duckdb
import pytest

from fullscript_pipeline.reports import ReportStore, write_catalog_digest
from fullscript_pipeline_tests.helpers.browser import BROWSER, chromium
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, noon, nov, observe, small_world, warehouse
from fullscript_pipeline_tests.helpers.mart_fixtures import NOON, demo_patient, patient, row
from fullscript_pipeline_tests.helpers.page_writing import Write

pytestmark = [
    pytest.mark.check_all,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium found: install it (Debian: apt-get install chromium)"),
]


@pytest.fixture
def pages(con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write) -> dict[str, Path]:
    """A patient's page, the clinic's list and a digest."""
    demo_patient(con, "pat-1", first="Maximiliane", last="Featherstonehaugh-Cholmondeley")
    for number in range(6):
        patient(con, f"p{number}", "Alexandra", "Featherstone")
        row(con, f"p{number}", "never_ordered" if number % 2 else "covered", "Methyltetrahydrofolate-Complex")
    clinic_page = write().clinic_page
    catalog, world = warehouse(), small_world()
    observe(catalog, world, noon(21))
    world["variants"]["p1-60"]["msrp_raw"] = "25.00"
    world["products"]["p1"]["description_html"] = "<p>Take with plenty of food.</p>"
    observe(catalog, world, noon(22))
    digest = write_catalog_digest(
        catalog, store, region="us", to_day=nov(22), rendered_at=NOON, time_zone=UTC_ZONE, release=True
    )
    catalog.close()
    return {"patient": store.path_for_patient("green-hill", "pat-1"), "clinic": clinic_page, "digest": digest.path}


@pytest.mark.parametrize("kind", ["patient", "clinic", "digest"])
def test_the_policy_lets_the_style_in_and_nothing_is_refused(pages: dict[str, Path], kind: str) -> None:
    said = chromium(pages[kind], "--enable-logging=stderr", "--dump-dom").stderr
    assert "Content Security Policy" not in said
    assert "CONSOLE" not in said


@pytest.mark.parametrize("kind", ["patient", "clinic", "digest"])
def test_a_phone_needs_no_sideways_scrolling(pages: dict[str, Path], kind: str) -> None:
    """320 CSS pixels (WCAG 1.4.10), in a frame: a window cannot be that narrow. The copy that is measured may run a
    script; the page itself may not.
    """
    html = pages[kind].read_text(encoding="utf-8")
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    tell = "<script>parent.postMessage(document.documentElement.scrollWidth + ' of ' + innerWidth, '*')</script></body>"
    pages[kind].with_name("inner.html").write_text(html.replace("</body>", tell), encoding="utf-8")
    outer = pages[kind].with_name("outer.html")
    outer.write_text(
        "<title>none</title><script>onmessage = event => { document.title = event.data }</script>"
        '<iframe src="inner.html" width="320" height="900" style="border:0"></iframe>',
        encoding="utf-8",
    )
    found = re.search(
        r"<title>(\d+) of (\d+)</title>", chromium(outer, "--virtual-time-budget=3000", "--dump-dom").stdout
    )
    assert found is not None
    assert int(found[2]) <= 320
    assert int(found[1]) <= int(found[2])


def test_a_patient_prints_on_one_sheet_and_the_arithmetic_on_another(pages: dict[str, Path], tmp_path: Path) -> None:
    paper = tmp_path / "page.pdf"
    chromium(pages["patient"], "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    assert len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes())) == 2
