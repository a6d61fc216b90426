"""Finds the product that carries the SKU or UPC of another: made anew under a new id, or the one it replaces.

Ids are the key of the catalog, so such a product is still removed and added; a pointer ties the two. What does not
belong here: deciding what changed (changes.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from typing import NamedTuple

import duckdb

from fullscript_pipeline.catalog.changes import CatalogChange


class Successor(NamedTuple):
    """The other product, and what both carry: `SKU`, else `UPC`."""

    product_id: str
    name: str | None
    shared: str


def find_successors(
    con: duckdb.DuckDBPyConnection, region: str, changes: Sequence[CatalogChange], at: datetime
) -> Mapping[str, Successor]:
    """Finds, for each removed product, one that has its SKU or UPC at `at`; for each added product, one that had it and
    is gone by then."""
    ids = sorted(
        {
            row.entity_id
            for row in changes
            if row.entity == "product" and row.field is None and row.change in {"removed", "added"}
        }
    )
    if not ids:
        return {}
    sql = resources.files(__package__).joinpath("sql", "successors.sql").read_text(encoding="utf-8")
    rows = con.execute(sql, {"region": region, "at": at, "ids": ids}).fetchall()
    return {product_id: Successor(other_id, name, shared) for product_id, other_id, name, shared in rows}
