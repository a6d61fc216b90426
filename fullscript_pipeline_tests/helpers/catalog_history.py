"""A small region's history: the warehouse's own tables, with a helper that observes a whole catalog at an instant.

`observe` is a slow, obvious loader of its own, so that these tests do not depend on the real one. What does not
belong here: expectations.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

import fullscript_pipeline.catalog as room

UTC_ZONE = ZoneInfo("UTC")
TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "brands": ("brand_id", ("name", "prefix", "status", "extra")),
    "products": (
        "product_id",
        (
            "name",
            "brand_id",
            "description_html",
            "dosage_recommended_amount",
            "dosage_recommended_frequency",
            "dosage_recommended_duration",
            "dosage_format",
            "dosage_additional_info",
            "extra",
        ),
    ),
    "variants": (
        "variant_id",
        (
            "product_id",
            "name",
            "sku",
            "is_primary",
            "units",
            "units_raw",
            "unit_of_measure",
            "availability",
            "status",
            "upc",
            "msrp",
            "msrp_raw",
            "supplier_sku",
            "extra",
        ),
    ),
    "ingredients": ("ingredient_id", ("name", "extra")),
    "allergens": ("allergen_id", ("name", "extra")),
    "supplement_types": ("supplement_type_id", ("name", "extra")),
    "third_party_certifications": ("third_party_certification_id", ("name", "extra")),
}
_TYPES = {"is_primary": "BOOLEAN", "units": "DECIMAL(18,4)", "msrp": "DECIMAL(18,4)", "extra": "JSON"}
# {"products": {"p1": {"name": ...}}}: everything a region holds, by table and id.
World = Mapping[str, Mapping[str, Mapping[str, Any]]]


def noon(day: int, hour: int = 12) -> datetime:
    """An instant of November 2026."""
    return datetime(2026, 11, 1, hour, tzinfo=UTC) + timedelta(days=day - 1)


def nov(day: int) -> date:
    """A day of November 2026."""
    return date(2026, 11, 1) + timedelta(days=day - 1)


def warehouse() -> duckdb.DuckDBPyConnection:
    """Empty tables of the catalog, of the plans that touch it, and the mart."""
    con = duckdb.connect()
    con.execute(
        "SET TimeZone = 'UTC'; CREATE SCHEMA core; CREATE SCHEMA history; CREATE SCHEMA marts; CREATE SCHEMA ops"
    )
    for table, (ident, columns) in TABLES.items():
        typed = ", ".join(f"{name} {_TYPES.get(name, 'VARCHAR')}" for name in columns)
        con.execute(
            f"CREATE TABLE history.{table} (region VARCHAR, {ident} VARCHAR, {typed}, removed_at TIMESTAMPTZ, "
            "valid_from TIMESTAMPTZ, valid_to TIMESTAMPTZ, known_at TIMESTAMPTZ)"
        )
        con.execute(
            f"CREATE VIEW core.{table} AS SELECT * EXCLUDE valid_to FROM history.{table} WHERE valid_to IS NULL"
        )
    con.execute(
        """CREATE TABLE ops.pulls (region VARCHAR, clinic_id VARCHAR, day DATE, resource VARCHAR, outcome VARCHAR,
            reason VARCHAR, observed_at TIMESTAMPTZ, finished_at TIMESTAMPTZ, complete BOOLEAN);
        CREATE TABLE core.clinics (clinic_id VARCHAR, clinic_key VARCHAR, region VARCHAR);
        CREATE TABLE core.categories (clinic_id VARCHAR, category_id VARCHAR, name VARCHAR,
            observed_at TIMESTAMPTZ, removed_at TIMESTAMPTZ);
        CREATE TABLE core.category_products (clinic_id VARCHAR, category_id VARCHAR, product_id VARCHAR,
            product_name VARCHAR, observed_at TIMESTAMPTZ, removed_at TIMESTAMPTZ);
        CREATE TABLE core.events (clinic_id VARCHAR, event_id VARCHAR, event_type VARCHAR, created_at TIMESTAMPTZ,
            resource_id VARCHAR, extra JSON);
        CREATE TABLE core.treatment_plans (clinic_id VARCHAR, treatment_plan_id VARCHAR, state VARCHAR,
            removed_at TIMESTAMPTZ);
        CREATE TABLE history.treatment_plans (clinic_id VARCHAR, treatment_plan_id VARCHAR, state VARCHAR,
            removed_at TIMESTAMPTZ, valid_from TIMESTAMPTZ, valid_to TIMESTAMPTZ);
        CREATE TABLE history.recommendations (clinic_id VARCHAR, treatment_plan_id VARCHAR, variant_id VARCHAR,
            removed_at TIMESTAMPTZ, valid_from TIMESTAMPTZ, valid_to TIMESTAMPTZ);
        CREATE TABLE core.recommendations (clinic_id VARCHAR, treatment_plan_id VARCHAR, position BIGINT,
            variant_id VARCHAR, removed_at TIMESTAMPTZ)"""
    )
    con.execute((Path(room.__file__).parent / "sql" / "marts.sql").read_text(encoding="utf-8"))
    return con


def observe(
    con: duckdb.DuckDBPyConnection, world: World, at: datetime, region: str = "us", *, listed: bool = True
) -> None:
    """Store the world as seen at `at`: new versions for what differs, closing versions for what is missing.

    `listed`: everything came from complete listings, as ops.pulls then says.
    """
    for table in TABLES if listed else ():
        con.execute(
            "INSERT INTO ops.pulls (region, day, resource, outcome, observed_at, finished_at, complete) "
            "VALUES (?, ?, ?, 'loaded', ?, ?, true)",
            [region, at.date(), table, at, at],
        )
    for table, (ident, columns) in TABLES.items():
        stored = world.get(table, {})
        names = [ident, *columns]
        latest = con.execute(
            f"SELECT {', '.join(names)}, removed_at FROM history.{table} WHERE region = ? AND valid_to IS NULL",
            [region],
        ).fetchall()
        before = {row[0]: (tuple(row[1:-1]), row[-1] is None) for row in latest}
        for key in before.keys() | stored.keys():
            values = _typed(con, columns, stored[key]) if key in stored else before[key][0]
            if key in before and before[key] == (values, key in stored):
                continue
            con.execute(
                f"UPDATE history.{table} SET valid_to = ? WHERE region = ? AND {ident} = ? AND valid_to IS NULL",
                [at, region, key],
            )
            marks = ", ".join("?" for _ in range(len(names) + 4))
            con.execute(
                f"INSERT INTO history.{table} (region, {', '.join(names)}, removed_at, valid_from, known_at) "
                f"VALUES ({marks})",
                [region, key, *values, None if key in stored else at, at, at],
            )


def _typed(con: duckdb.DuckDBPyConnection, columns: tuple[str, ...], record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Values as their columns hold them, so that comparing with what is stored is fair."""
    if (raw := record.get("msrp_raw")) is not None:
        record = {**record, "msrp": raw if raw.replace(".", "", 1).isdigit() else None}
    casts = ", ".join(f"?::{_TYPES.get(name, 'VARCHAR')}" for name in columns)
    typed_row = con.execute(f"SELECT {casts}", [record.get(name) for name in columns]).fetchone()
    assert typed_row is not None
    return typed_row


def small_world() -> dict[str, dict[str, dict[str, Any]]]:
    """One brand, two products, two variants each, an ingredient."""
    products = {
        f"p{n}": {
            "name": f"Product {n}",
            "brand_id": "b1",
            "description_html": "<p>Take with food.</p>",
            "dosage_recommended_amount": "1",
            "dosage_format": "capsule",
        }
        for n in (1, 2)
    }
    variants = {
        f"p{n}-{size}": {
            "product_id": f"p{n}",
            "sku": f"SKU{n}{size}",
            "is_primary": size == 60,
            "units": size,
            "units_raw": str(size),
            "unit_of_measure": "capsule",
            "availability": "In Stock",
            "status": "available",
            "msrp": "19.99",
            "msrp_raw": "19.99",
        }
        for n in (1, 2)
        for size in (60, 120)
    }
    brands = {"b1": {"name": "Northwind Naturals", "prefix": "NWN", "status": "available"}}
    return {"brands": brands, "products": products, "variants": variants, "ingredients": {"i1": {"name": "Zinc"}}}
