"""Pages in a real Chromium: the style sheet passes the page's own policy, a phone needs no sideways scrolling, paper
takes one sheet and one for the arithmetic.
"""

import re
from pathlib import Path

import duckdb
import pytest

from fullscript_pipeline.catalog import build_catalog_changes
from fullscript_pipeline.reports import ReportStore, write_catalog_digest
from fullscript_pipeline_tests.helpers.browser import BROWSER, chromium
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, noon, nov, observe, small_world, warehouse
from fullscript_pipeline_tests.helpers.mart_fixtures import LATE, NOON, demo_patient, patient, row, usual_lane
from fullscript_pipeline_tests.helpers.page_writing import Write
from fullscript_pipeline_tests.helpers.pdf import sheet_texts

pytestmark = [
    pytest.mark.check_all,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium found: install it (Debian: apt-get install chromium)"),
]

KINDS = ("patient", "clinic", "directory", "clinic_catalog", "digest", "days", "brand", "brands", "product", "products")


@pytest.fixture
def language() -> str:
    """The language of the pages; a test may choose others."""
    return "en"


@pytest.fixture
def pages(con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write, language: str) -> dict[str, Path]:
    """A patient's page, the clinic's list and a digest."""
    demo_patient(con, "pat-1", first="Maximiliane", last="Featherstonehaugh-Cholmondeley")
    for number in range(6):
        patient(con, f"p{number}", "Alexandra", "Featherstone")
        row(con, f"p{number}", "never_ordered" if number % 2 else "covered", "Methyltetrahydrofolate-Complex")
    clinic_page = write(language=language).clinic_page
    catalog, world = warehouse(), small_world()
    observe(catalog, world, noon(21))
    world["variants"]["p1-60"]["msrp_raw"] = "25.00"
    world["products"]["p1"]["description_html"] = "<p>Take with plenty of food.</p>"
    observe(catalog, world, noon(22))
    build_catalog_changes(catalog, "us", time_zone=UTC_ZONE)
    digest = write_catalog_digest(
        catalog,
        store,
        region="us",
        to_day=nov(22),
        rendered_at=NOON,
        time_zone=UTC_ZONE,
        release=True,
        language=language,
    )
    catalog.close()
    return {
        "patient": store.path_for_patient("green-hill", "pat-1"),
        "clinic": clinic_page,
        "directory": store.path_for_directory("green-hill"),
        "clinic_catalog": clinic_page.with_name("catalog.html"),
        "digest": digest.path,
        "days": store.path_for_digest("us"),
        "brand": store.path_for_brand("us", "b1"),
        "brands": store.path_for_catalog_list("us", "brands"),
        "product": store.path_for_product("us", "p1"),
        "products": store.path_for_catalog_list("us", "products"),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_lets_the_style_in_and_nothing_is_refused(pages: dict[str, Path], kind: str) -> None:
    said = chromium(pages[kind], "--enable-logging=stderr", "--dump-dom").stderr
    assert "Content Security Policy" not in said
    assert "CONSOLE" not in said


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("kind", KINDS)
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


def printed(page: Path, tmp_path: Path) -> list[str]:
    """What each sheet of the page says, without spaces."""
    paper = tmp_path / "page.pdf"
    chromium(page, "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    return sheet_texts(paper.read_bytes())


def test_a_patient_prints_on_one_sheet_and_the_arithmetic_on_another(pages: dict[str, Path], tmp_path: Path) -> None:
    assert len(printed(pages["patient"], tmp_path)) == 2


@pytest.mark.parametrize(("language", "ends"), [("en", ("1of2", "2of2")), ("fr", ("1sur2", "2sur2"))])
def test_twelve_products_print_on_two_sheets_that_name_the_patient(
    con: duckdb.DuckDBPyConnection,
    store: ReportStore,
    write: Write,
    tmp_path: Path,
    language: str,
    ends: tuple[str, str],
) -> None:
    """With contact data, brands, three orders each, a plan change and long names: the longest usual page."""
    patient(con, "pat-12", "Maximiliane", "Featherstonehaugh", email="mf@example.com", mobile_number="+1 416 555 0100",
            external_id="EMR-1234567")  # fmt: skip
    for number in range(12):
        product = f"Magnesium Bisglycinate {number} mg"
        row(con, "pat-12", product=product, **(LATE if number % 3 else {"status": "covered"}), refill=True,
            units_to_purchase=2)  # fmt: skip
        usual_lane(con, "pat-12", product)
    write(language=language, shows_contact=True)
    sheets = printed(store.path_for_patient("green-hill", "pat-12"), tmp_path)
    assert len(sheets) == 2
    born = {"en": "born3Feb1980", "fr": "datedenaissance3févr.1980"}[language]
    for sheet, end in zip(sheets, ends, strict=True):
        assert "GreenHillHealth·MaximilianeFeatherstonehaugh" in sheet
        assert end in sheet
        assert born in sheet
    assert sheets[1].count("MagnesiumBisglycinate") >= 12


def test_every_sheet_of_a_list_says_which_and_repeats_its_heads(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write, tmp_path: Path
) -> None:
    for number in range(150):
        patient(con, f"p{number}", "Alexandra", f"Featherstone {number}")
        row(con, f"p{number}", product="Zinc", **(LATE | {"days_late": number + 1}))
    write()
    for path, title, head in (
        (store.path_for_clinic("green-hill"), "Calllist", "PatientSincewhenNextstep"),
        (store.path_for_directory("green-hill"), "AtoZ", "PatientPractitionerSupply"),
        (store.path_for_practitioner("green-hill", "doc-1"), "Calllist·AnaRuiz", "PatientSincewhenNextstep"),
    ):
        sheets = printed(path, tmp_path)
        assert len(sheets) > 2
        for number, sheet in enumerate(sheets, start=1):
            assert f"GreenHillHealth·{title}·22Nov2026" in sheet
            assert f"{number}of{len(sheets)}" in sheet
        assert all(head in sheet for sheet in sheets[:-1])
