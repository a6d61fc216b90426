"""Finds products by what a person knows of them: an id, a name, a SKU or a UPC, also one that it had before.

What does not belong here: a product's history (product_history.py).
"""

from dataclasses import dataclass
from importlib import resources
from shlex import quote
from typing import Any

import duckdb

from fullscript_pipeline.catalog.filters import find_brand_ids
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.typed_rows import typed_row

_NEAR = """SELECT DISTINCT name FROM core.products WHERE ($region IS NULL OR region = $region)
    AND contains(nfc_normalize(lower(name)), nfc_normalize(lower($word))) ORDER BY name LIMIT 3"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundProduct:
    """A product that was found. `found_by`: `id`, `name`, `SKU`, `former name` and so on."""

    region: str
    product_id: str
    name: str | None
    brand_name: str | None
    brand_id: str | None
    found_by: str

    @property
    def is_former(self) -> bool:
        """Whether it had the word only before."""
        return self.found_by.startswith("former ")


def find_products(
    con: duckdb.DuckDBPyConnection, word: str, region: str | None = None, *, brand: str | None = None
) -> list[FoundProduct]:
    """The products with that id, name, SKU, UPC or variant id; if there is none, those that had it before.

    `brand`: an id or a name, for namesakes. Raises UsageError if there is none; it suggests
    names that contain the word.
    """
    values: dict[str, Any] = {"word": word.strip(), "region": region}
    sql = resources.files(__package__).joinpath("sql", "find_products.sql").read_text(encoding="utf-8")
    products = [typed_row(FoundProduct, row) for row in con.execute(sql, values).fetchall()]
    if products:
        mine = _of_brand(con, products, brand, word) if brand else products
        return [product for product in mine if not product.is_former] or mine
    near = con.execute(_NEAR, values).fetchall()
    names = [name for (name,) in near]
    hint = (
        "give its id, a name, SKU or UPC, or the id of a variant; the page products.html of the region lists them all."
    )
    if names:
        hint = f"did you mean {' or '.join(names)}? This works: `fullscript-pipeline catalog show {quote(names[0])}`."
    raise UsageError(f"No product {word!r} has been seen{f' in region {region}' if region else ''}; {hint}")


def _of_brand(
    con: duckdb.DuckDBPyConnection, products: list[FoundProduct], brand: str, word: str
) -> list[FoundProduct]:
    ids = {region: _brand_ids(con, region, brand) for region in {product.region for product in products}}
    mine = [product for product in products if product.brand_id in ids[product.region]]
    if not mine:
        brands = sorted({product.brand_name or product.brand_id or "no brand" for product in products})
        raise UsageError(
            f"{word!r} is no product of {brand!r}; it is one of {' or '.join(brands)}. This works: "
            f"`fullscript-pipeline catalog show {quote(word)} --brand {quote(brands[0])}`."
        )
    return mine


def _brand_ids(con: duckdb.DuckDBPyConnection, region: str, brand: str) -> set[str]:
    """None in a region that has no such brand: the refusal names those that have the product."""
    try:
        return find_brand_ids(con, region, brand) or set()
    except UsageError:
        return set()
