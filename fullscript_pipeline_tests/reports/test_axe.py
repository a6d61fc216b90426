"""axe-core (accessibility rules of WCAG 2.2 AA) over the catalog pages in a real Chromium: no violation.

axe-core is not a Python package: `npm install axe-core` anywhere and name its axe.min.js in AXE_CORE_JS.
"""

import html
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.catalog import build_catalog_changes
from fullscript_pipeline.reports import ReportStore, write_catalog_digest
from fullscript_pipeline_tests.catalog.history import UTC_ZONE, noon, nov, observe, small_world, warehouse
from fullscript_pipeline_tests.reports.marts import NOON
from fullscript_pipeline_tests.reports.test_browser import BROWSER, chromium

AXE = Path(os.environ.get("AXE_CORE_JS", "node_modules/axe-core/axe.min.js"))
pytestmark = [
    pytest.mark.check_all,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium found: install it (Debian: apt-get install chromium)"),
    pytest.mark.skipif(
        not AXE.is_file(), reason="no axe-core: `npm install axe-core`, or name axe.min.js in AXE_CORE_JS"
    ),
]


def violations(page: Path) -> list[Any]:
    """What axe finds on a copy of the page that may run scripts, its folded parts opened."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    text = text.replace("<details>", "<details open>")
    run = (
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        ".then(found => { document.title = JSON.stringify(found.violations.map(one => "
        "[one.id, one.nodes.map(node => node.html.slice(0, 120))])) })"
    )
    scripts = f"<script>{AXE.read_text(encoding='utf-8')}</script><script>{run}</script></body>"
    copy = page.with_name("axe.html")
    copy.write_text(text.replace("</body>", scripts), encoding="utf-8")
    said = chromium(copy, "--virtual-time-budget=20000", "--dump-dom").stdout
    title = re.search(r"<title>(\[.*?\])</title>", said, re.DOTALL)
    assert title is not None, "axe did not finish"
    return list(json.loads(html.unescape(title[1])))


def test_catalog_pages_have_no_violations(store: ReportStore) -> None:
    con, world = warehouse(), small_world()
    for number in range(30):
        world["products"][f"q{number}"] = {"name": f"Filler {number}", "brand_id": "b1"}
    observe(con, world, noon(21))
    world["variants"]["p1-60"]["msrp_raw"] = "25.00"
    world["products"]["p1"]["description_html"] = "<p>Take with plenty of food.</p>"
    for number in range(20):
        world["products"][f"q{number}"]["name"] = f"Renamed {number}"
    observe(con, world, noon(22))
    build_catalog_changes(con, "us", time_zone=UTC_ZONE)
    written = write_catalog_digest(
        con, store, region="us", to_day=nov(22), rendered_at=NOON, time_zone=UTC_ZONE, watched_brands=["b1", "none"]
    )
    con.close()
    assert written.watched is not None
    pages = (written.path, written.watched, store.path_for_digest("us"), store.path_for_brand("us", "b1"))
    assert {page.name: violations(page) for page in pages} == {page.name: [] for page in pages}
