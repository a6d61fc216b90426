"""Records by which source and clinic each product was seen, and when first and last: `core.catalog_coverage`.

Sources: `listing` (the restricted whole list), `category`, `by_id` (known from before), `variant` (named by a plan
or an order), `event`. What does not belong here: reading the products (`catalog`, `missing_variants`, `refresh`).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Literal

import duckdb

CatalogSource = Literal["listing", "category", "by_id", "variant", "event"]


def sighting_recorder(
    region: str, day: date, source: CatalogSource, by_clinic: Callable[[], Mapping[str, Iterable[str]]]
) -> Callable[[duckdb.DuckDBPyConnection], None]:
    """Returns a `Load.after` that records the products that each clinic saw by this source on this day."""

    def after(con: duckdb.DuckDBPyConnection) -> None:
        for clinic_id, products in by_clinic().items():
            record_catalog_sightings(con, region=region, day=day, source=source, clinic_id=clinic_id, products=products)

    return after


def record_catalog_sightings(
    con: duckdb.DuckDBPyConnection,
    *,
    region: str,
    day: date,
    source: CatalogSource,
    clinic_id: str,
    products: Iterable[str],
) -> None:
    """Records that a clinic saw these products. Rows that say so already stay as they are."""
    values = {"region": region, "day": day, "door": source, "clinic": clinic_id, "ids": sorted(set(products))}
    if not values["ids"]:
        return
    con.execute(
        "UPDATE core.catalog_coverage SET last_seen_on = $day WHERE region = $region AND door = $door "
        "AND clinic_id = $clinic AND product_id IN $ids AND last_seen_on < $day",
        values,
    )
    con.execute(
        "INSERT INTO core.catalog_coverage SELECT $region, product_id, $door, $clinic, $day, $day FROM "
        "(SELECT unnest($ids::VARCHAR[]) AS product_id) new WHERE NOT EXISTS (SELECT 1 FROM core.catalog_coverage c "
        "WHERE c.region = $region AND c.door = $door AND c.clinic_id = $clinic AND c.product_id = new.product_id)",
        values,
    )
