"""A catalog with long texts is loaded and compared within what a step may have of memory."""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fullscript_pipeline.catalog import build_catalog_changes
from fullscript_pipeline.maintenance.warehouse_factory import mart_ddl
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.landing import Line, Size, make_line, parse_line
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.warehouse_loads import context

PRODUCTS_SEEN = 30_000


def products(price: str) -> Iterator[Line]:
    """With 6 kB of text each; every hundredth has this price, the others another."""
    for number in range(PRODUCTS_SEEN):
        msrp = price if number % 100 == 0 else "12.50"
        variant = {"id": f"v{number}", "sku": "s", "units": "60", "msrp": msrp}
        yield parse_line(
            make_line({"id": f"p{number}", "name": "n", "description_html": "<p>x</p>" * 750, "variants": [variant]})
        )


@pytest.mark.check_all
def test_thirty_thousand_products_of_six_kilobytes(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, mart_ddl())
    size = Size(PRODUCTS_SEEN, PRODUCTS_SEEN * 6_200, 6_300)
    written = []
    for day, price in enumerate(("10.00", "11.00")):
        with warehouse.write() as con:
            load(con, PRODUCTS, lambda price=price: products(price), context(24 * day), size=size)  # type: ignore[misc]
            written.append(build_catalog_changes(con, "us", time_zone=ZoneInfo("UTC")))
    assert written == [0, PRODUCTS_SEEN // 100]
