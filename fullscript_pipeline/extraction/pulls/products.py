"""Completes products whose record only names their variants.

A listed row may be incomplete, and even a detail may hold ids where another server holds the variants. What does not
belong here: the sources of products (`catalog`, `missing_variants`).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import orjson

from fullscript_pipeline.extraction.engine import Pull, in_parallel
from fullscript_pipeline.ids import usable_id
from fullscript_pipeline.resources.products import PRODUCTS, VARIANTS
from fullscript_pipeline.warehouse import Line, canonical, content_hash, stored_hashes
from fullscript_pipeline.warehouse.loading import not_found_twice

# A record with one of these is a variant; a mere mention has its id, SKU or name only.
_OF_A_VARIANT = ("units", "unit_of_measure", "availability", "status", "msrp", "upc", "primary")
# A complete listed row has these; an incomplete one has only name and variants.
_OF_A_PRODUCT = ("description_html", "dosage")


def product_id_of(line: Line) -> str | None:
    """Returns the product that a variant's record names."""
    record = orjson.loads(line.record)
    product = record.get("product")
    return usable_id(product.get("id") if isinstance(product, dict) else record.get("product_id"))


def without_custom_dosage(line: Line) -> Line:
    """Returns the product without the dosage of the practitioner who asks: it is no fact of the region."""
    if b'"custom_dosage"' not in line.record:
        return line
    record = orjson.loads(line.record)
    record.pop("custom_dosage", None)
    return _replace_record(line, record)._replace(parent_id=None)


def is_complete_product(line: Line) -> bool:
    """Whether a listed row needs no detail. The missing fields of an incomplete row would look deleted."""
    record = orjson.loads(line.record)
    return _holds_variants(record) and all(key in record for key in _OF_A_PRODUCT)


def complete_products(pull: Pull, land_variant: Callable[[str], object]) -> Callable[[], Iterator[Line]]:
    """Returns the products that `pull` has landed by id, as `Load` takes them. `land_variant` lands a variant by its
    id.

    Call it when the products are landed: variants that they only name are landed at once. A stored product keeps its
    stored variants while one of them can neither be read nor is gone.
    """
    named = dict.fromkeys(variant_id for line in pull.file.lines("product") for variant_id in _named_variant_ids(line))
    if not named:
        return lambda: map(without_custom_dosage, pull.file.lines("product"))
    in_parallel(land_variant, named.keys() - {line.id for line in pull.file.lines("variant")})
    variants = {line.id: orjson.loads(line.record) for line in pull.file.lines("variant")}
    with pull.target.warehouse.read() as con:
        known = stored_hashes(con, PRODUCTS, pull.target.region)
        gone = not_found_twice(
            con, pull.target.region, VARIANTS, denied=named.keys() - variants.keys(), moment=pull.summary.observed_at
        )
    answered = variants.keys() | set(gone)
    return lambda: (
        _with_variants(without_custom_dosage(line), variants, answered if line.id in known else None)
        for line in pull.file.lines("product")
    )


def variant_ids_in(lines: Iterator[Line]) -> set[str]:
    """Returns the ids of the variants that these products hold."""
    rows = (row for line in lines for row in orjson.loads(line.record).get("variants") or ())
    return {variant_id for row in rows if isinstance(row, dict) and (variant_id := usable_id(row.get("id")))}


def _holds_variants(record: Mapping[str, Any]) -> bool:
    rows = record.get("variants")
    return isinstance(rows, list) and all(
        isinstance(row, dict) and any(k in row for k in _OF_A_VARIANT) for row in rows
    )


def _named_variant_ids(line: Line) -> list[str]:
    """Returns the variants that a product's record names but does not hold."""
    record = orjson.loads(line.record)
    if _holds_variants(record):
        return []
    rows = [*_as_list(record.get("variants")), *_as_list(record.get("variant_ids"))]
    ids = (usable_id(row.get("id") if isinstance(row, dict) else row) for row in rows)
    return list(dict.fromkeys(variant_id for variant_id in ids if variant_id is not None))


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _with_variants(line: Line, variants: Mapping[str, Mapping[str, Any]], answered: Collection[str] | None) -> Line:
    """Returns the product with the records of its variants; without any when none could be read, or when not all
    variants of a stored product are `answered`."""
    if not (named := _named_variant_ids(line)):
        return line
    record = orjson.loads(line.record)
    record.pop("variants", None)
    records = [variants[variant_id] for variant_id in named if variant_id in variants]
    if records and (answered is None or all(variant_id in answered for variant_id in named)):
        record["variants"] = [{key: row[key] for key in row if key != "product"} for row in records]
    return _replace_record(line, record)


def _replace_record(line: Line, record: Mapping[str, Any]) -> Line:
    text = canonical(record)
    return line._replace(record=text, hash=content_hash(text))
