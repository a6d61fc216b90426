"""Pages of patients with many products: every order is drawn, listed or counted, and what is left out is said."""

from datetime import timedelta

import duckdb
import pytest

from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.reports.language import page_language
from fullscript_pipeline_tests.helpers.mart_fixtures import AS_OF, patient, row, timeline
from fullscript_pipeline_tests.helpers.page_writing import Write, page_of


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("products", [1, 21, 25, 30, 60])
def test_no_order_disappears_without_its_number(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write, products: int, language: str
) -> None:
    """20 lanes are drawn; the orders of the other products are listed, or counted where there is no room."""
    patient(con, "pat-1")
    for number in range(products):
        name = f"Product <{number}>"
        row(con, "pat-1", "covered", name, run_out_on=AS_OF + timedelta(days=20 + number))
        days = [AS_OF - timedelta(days=5 * place + 1) for place in range(number % 9 + 1)]
        timeline(con, "pat-1", name, *(("order", day, day) for day in days))
    write(language=language)
    page, words = page_of(store, "pat-1"), page_language(language)
    assert len(page.html.encode()) <= 60_000
    for number in range(products):
        orders, name = number % 9 + 1, f"Product <{number}>"
        _, _, why = page.text.rpartition(name)
        counted = words.ngettext("%(name)s: %(num)s order", "%(name)s: %(num)s orders", orders, name=name)
        short = words.ngettext("%(num)s order.", "%(num)s orders.", orders)
        listed = words.gettext("Orders seen: %(orders)s.", orders=words.day(AS_OF - timedelta(days=1))).rstrip(".")
        assert " ".join(counted.split()) in page.text or short in why or " ".join(listed.split()) in why, name
    left_out = words.ngettext(
        "%(num)s further product in the table only.", "%(num)s further products in the table only.", products - 20
    )
    assert (left_out in page.text) == (products > 20)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_page_of_many_long_names_leaves_out_the_arithmetic_and_counts_every_order(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write, language: str
) -> None:
    patient(con, "pat-1")
    text = "2 capsules; twice per day with meals; for 6 months then reassess, with a full glass of water"
    for number in range(60):
        name = f"Professional Magnésium Bisglycinate Chelated, no. {number}, 240 capsules"
        row(con, "pat-1", "covered", name, run_out_on=AS_OF + timedelta(days=20 + number), dosage_text=text)
        timeline(con, "pat-1", name, *(("order", day, day) for day in [AS_OF, AS_OF - timedelta(days=number + 1)]))
    write(language=language)
    page, words = page_of(store, "pat-1"), page_language(language)
    assert len(page.html.encode()) <= 60_000
    assert ("too many products" if language == "en" else "trop de produits") in page.text
    # A lane or the table says it of each product, and a lane names at most twelve of them again for screen readers.
    counted = page.text.count(words.ngettext("%(num)s order", "%(num)s orders", 2))
    assert counted in range(60, 73)
