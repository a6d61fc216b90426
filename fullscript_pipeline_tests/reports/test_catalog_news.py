"""A clinic's catalog page and what its call list says of products that cannot be had: by name, and only there."""

from datetime import UTC, date, datetime

import duckdb
import pytest

from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline_tests.helpers.html import Page, read
from fullscript_pipeline_tests.helpers.mart_fixtures import AS_OF, LATE, NOON, insert, patient, row
from fullscript_pipeline_tests.helpers.page_writing import Write

NOV_3 = datetime(2026, 11, 3, 12, tzinfo=UTC)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)


def version(con: duckdb.DuckDBPyConnection, variant_id: str, at: datetime, **state: object) -> None:
    values = {"status": "available", "availability": "In Stock"} | state
    insert(con, "history.variants", region="us", variant_id=variant_id, valid_from=at, known_at=at, **values)


@pytest.fixture
def late(con: duckdb.DuckDBPyConnection) -> None:
    """Three patients with zinc, which ran out for the first one, and one with another pack of it."""
    for number in (1, 2, 3):
        patient(con, f"p{number}", "Mia", f"Stone{number}")
        late_or_not = LATE if number == 1 else {"status": "covered"}
        row(con, f"p{number}", product="Zinc", product_id="zinc", variant_ids=["z60"], **late_or_not)
    patient(con, "p4", "Noa", "Reed")
    row(con, "p4", "covered", "Zinc", product_id="zinc", variant_ids=["z90"])
    version(con, "z60", FIRST)
    version(con, "z90", FIRST)


def catalog_page(store: ReportStore) -> Page:
    return read(store.path_for_clinic("green-hill").with_name("catalog.html"))


@pytest.mark.parametrize(
    ("state", "reason", "step"),
    [
        ({"availability": "Backordered"}, "Out of stock since 3 Nov 2026", "agree to wait, or choose another"),
        ({"status": "discontinued"}, "Discontinued since 3 Nov 2026", "choose another"),
        ({"removed_at": NOV_3}, "Gone from the catalog since 3 Nov 2026", "choose another"),
    ],
)
@pytest.mark.usefixtures("late")
def test_the_clinic_reads_by_name_whose_product_cannot_be_had(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write, state: dict[str, object], reason: str, step: str
) -> None:
    version(con, "z60", NOV_3, **state)
    call_list = read(write().clinic_page)
    assert f"{reason}: {step}." in call_list.text
    assert "Products that cannot be ordered now: 1" in call_list.text
    page = catalog_page(store)
    assert reason in page.text
    assert "3 of your patients have it in a plan: Mia Stone1 , Mia Stone2 , Mia Stone3" in page.text
    assert "Noa Reed" not in page.text, "the pack of that patient is in stock"
    assert page.stack_errors == 0


@pytest.mark.usefixtures("late")
def test_what_can_be_had_or_is_not_known_then_is_no_news(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    version(con, "z60", datetime(2026, 11, 30, tzinfo=UTC), availability="Backordered")
    assert "the last pack ended" in read(write().clinic_page).text
    assert "Everything in your patients' plans can be ordered" in catalog_page(store).text
    version(con, "z60", NOV_3, availability="under review")
    write()
    assert "Everything in your patients' plans can be ordered" in catalog_page(store).text


@pytest.mark.usefixtures("late")
def test_similar_products_are_in_stock_and_carried(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    version(con, "z60", NOV_3, availability="Backordered")
    insert(con, "history.products", region="us", product_id="zinc", name="Zinc Picolinate", valid_from=FIRST)
    others = {"a": "Zinc Citrate", "b": "Zinc Gone", "c": "Magnesium", "d": "Zinc Elsewhere", "e": "Zinc Empty"}
    insert(con, "core.category_products", clinic_id="clinic-1", category_id="k", product_id="zinc", removed_at=NOV_3)
    for product_id, name in others.items():
        brand = "other" if product_id == "d" else "mine"
        insert(con, "history.products", region="us", product_id=product_id, name=name, valid_from=FIRST)
        insert(con, "core.products", region="us", product_id=product_id, name=name, brand_id=brand,
               removed_at=NOON if product_id == "b" else None)  # fmt: skip
        insert(con, "core.category_products", clinic_id="clinic-1", category_id="k", product_id=product_id)
        insert(con, "core.variants", region="us", variant_id=f"{product_id}1", product_id=product_id,
               status="available", availability="Out of Stock" if product_id == "e" else "In Stock")  # fmt: skip
    insert(con, "core.brands", region="us", brand_id="mine", name="Hill Labs")
    insert(con, "core.clinic_brands", clinic_id="clinic-1", brand_id="mine")
    write()
    text = catalog_page(store).text
    assert "Zinc Citrate – Hill Labs" in text
    assert not [name for name in ("Zinc Gone", "Zinc Elsewhere", "Zinc Empty") if name in text]
    assert text.count("Magnesium") == 0, "no word of the name in common"


@pytest.mark.usefixtures("late")
def test_recent_changes_name_the_patients_and_the_day(
    con: duckdb.DuckDBPyConnection, store: ReportStore, write: Write
) -> None:
    common = {
        "region": "us",
        "product_id": "zinc",
        "change": "changed",
        "cosmetic": False,
        "active_plans": 3,
        "product_name": "Zinc",
    }
    price = {"entity": "variant", "field": "msrp", "old_value": "20.00", "new_value": "22.00"}
    for variant_id, day in (("z60", date(2026, 11, 12)), ("z120", AS_OF), ("z90", date(2026, 9, 1))):
        insert(con, "marts.catalog_changes", **common, **price, entity_id=variant_id, changed_on=day, seen_on=day)
    write()
    page = catalog_page(store)
    assert "Changed in the last 30 days (1)" in page.text
    assert "12 Nov 2026 Price (MSRP): 20.00 → 22.00 +2.00 (+10.0 %)" in page.text
    assert page.text.count("Price (MSRP)") == 1, "a pack that nobody has, and a change of September, are not news"
    write(language="fr")
    assert "Prix (PDSF)" in catalog_page(store).text
