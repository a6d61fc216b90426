"""Reads the present variants of one side of a comparison: a region of a warehouse, or of a folder with exported tables.

What does not belong here: comparing two sides (side_comparison.py), opening a warehouse (its own room).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.spreadsheet_text import GUARDED_PATTERN

# What is read of each table; a copy for analysts may lack columns after the first ones.
_TABLES: Mapping[str, Sequence[str]] = {
    "variants": (
        "region", "variant_id", "product_id", "removed_at", "name", "sku", "upc", "units", "unit_of_measure",
        "availability", "status", "msrp",
    ),
    "products": ("region", "product_id", "name", "brand_id"),
    "brands": ("region", "brand_id", "name"),
}  # fmt: skip
# Of CSV as text, so that a UPC keeps its leading zeros, and without the apostrophes that `export` guards formulas with.
_READERS = {
    "parquet": "SELECT * FROM read_parquet($path)",
    "csv": f"SELECT regexp_replace(COLUMNS(*), $${GUARDED_PATTERN}$$, '\\1') "
    "FROM read_csv($path, all_varchar = true, header = true)",
}
_NEEDED: Mapping[str, int] = {"variants": 3, "products": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class SideVariant:
    """A variant as one side shows it. Texts as stored; None where the side does not say."""

    variant_id: str
    brand: str | None
    product: str | None
    name: str | None
    sku: str | None
    upc: str | None
    size: str | None
    availability: str | None
    status: str | None
    msrp: str | None


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a comparison: what it is called, its region and currency, and its variants."""

    label: str
    region: str
    variants: Sequence[SideVariant]

    @property
    def currency(self) -> str:
        return REGIONS[self.region].currency


def read_side(con: duckdb.DuckDBPyConnection, label: str, region: str | None) -> Side:
    """Reads a warehouse. Raises UsageError if it has no catalog, not this region, or several and none is chosen."""
    columns = {table: _stored_columns(con, table) for table in _TABLES}
    return _read(con, label, region, columns=columns, source=lambda table: f"core.{table}")


def read_exported_side(folder: Path, label: str, region: str | None) -> Side:
    """Reads the files that `export` wrote into a folder, Parquet or CSV. Raises UsageError as `read_side` does."""
    with duckdb.connect() as con:
        columns = {table: _load_exported(con, folder, table) for table in _TABLES}
        return _read(con, label, region, columns=columns, source=lambda table: f"exported_{table}")


def _load_exported(con: duckdb.DuckDBPyConnection, folder: Path, table: str) -> frozenset[str]:
    """Loads a table's file as `exported_<table>`; returns its columns, none where there is no file."""
    for suffix, reader in _READERS.items():
        path = folder / f"core.{table}.{suffix}"
        if not path.exists():
            continue
        try:
            con.execute(f"CREATE TABLE exported_{table} AS {reader}", {"path": str(path)})
        except duckdb.Error as error:
            raise UsageError(
                f"{path} cannot be read ({str(error).splitlines()[0]}); export the catalog again."
            ) from None
        return frozenset(name for (name, *_) in con.execute(f"DESCRIBE exported_{table}").fetchall())
    return frozenset()


def _read(
    con: duckdb.DuckDBPyConnection,
    label: str,
    region: str | None,
    *,
    columns: Mapping[str, frozenset[str]],
    source: Callable[[str], str],
) -> Side:
    for table, number in _NEEDED.items():
        if missing := [name for name in _TABLES[table][:number] if name not in columns[table]]:
            raise UsageError(
                f"{label} holds no catalog that can be compared: core.{table} lacks {', '.join(missing)}. Name a data "
                "directory, a warehouse, or a folder that `export` wrote core.products, core.variants, core.brands to."
            )
    selects = {
        table: "SELECT "
        + ", ".join(name if name in columns[table] else f"NULL::VARCHAR AS {name}" for name in names)
        + (f" FROM {source(table)}" if columns[table] else " WHERE false")
        for table, names in _TABLES.items()
    }
    chosen = _choose_region(con, label, region, selects["variants"])
    sql = f"""SELECT v.variant_id, b.name, p.name, v.name, v.sku, v.upc,
        concat_ws(' ', {_plain_number("v.units")}, v.unit_of_measure), v.availability, v.status,
        {_price("v.msrp")}
    FROM ({selects["variants"]}) AS v LEFT JOIN ({selects["products"]}) AS p ON p.region = v.region
        AND p.product_id = v.product_id
    LEFT JOIN ({selects["brands"]}) AS b ON b.region = v.region AND b.brand_id = p.brand_id
    WHERE v.region = ? AND v.removed_at IS NULL ORDER BY 2, 3, 4, 1"""
    names = list(SideVariant.__dataclass_fields__)
    rows = con.execute(sql, [chosen]).fetchall()
    values: list[dict[str, Any]] = [
        {name: value or None for name, value in zip(names, row, strict=True)} for row in rows
    ]
    variants = [SideVariant(**found) for found in values]
    return Side(label=f"{label} ({chosen.upper()})", region=chosen, variants=variants)


def _choose_region(con: duckdb.DuckDBPyConnection, label: str, region: str | None, variants: str) -> str:
    known = [name for (name,) in con.execute(f"SELECT DISTINCT region FROM ({variants}) ORDER BY 1").fetchall()]
    if region is None and len(known) == 1:
        return str(known[0])
    if region in known:
        return str(region)
    if not known:
        raise UsageError(f"{label} holds no catalog yet; pull it first (`fullscript-pipeline pull`).")
    if region is None:
        raise UsageError(f"{label} holds {' and '.join(known)}; choose one, like {label}@{known[0]}.")
    raise UsageError(
        f"{label} holds no catalog of region {region!r}; it holds {' and '.join(known)}: name {label}@{known[0]}."
    )


def _plain_number(column: str) -> str:
    """SQL: a number as text without the zeros at its end, whether it is stored as a number or exported as text."""
    text = f"{column}::VARCHAR"
    return f"CASE WHEN {text} LIKE '%.%' THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"


def _price(column: str) -> str:
    """SQL: a price with at least two decimals; a text that is no number stays as it is."""
    return f"coalesce(regexp_replace(TRY_CAST({column} AS DECIMAL(18,4))::VARCHAR, '0{{1,2}}$', ''), {column}::VARCHAR)"


def _stored_columns(con: duckdb.DuckDBPyConnection, table: str) -> frozenset[str]:
    sql = """SELECT column_name FROM duckdb_columns() WHERE database_name = current_database()
        AND schema_name = 'core' AND table_name = ?"""
    return frozenset(name for (name,) in con.execute(sql, [table]).fetchall())
