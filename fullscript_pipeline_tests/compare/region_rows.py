"""What a region's catalog should hold, made from raw answers of all its clinics.

The whole list where it is granted; else what the categories show and what plans and orders name. What does not belong
here: a clinic's own tables (`clinic_rows`).
"""

from collections.abc import Iterable, Sequence

from fullscript_pipeline_tests.compare.content_rows import Rows
from fullscript_pipeline_tests.compare.values import number, of, text
from fullscript_pipeline_tests.compare.warehouse_rows import Api, Record

NAMED = {
    "ingredients": "ingredient_id",
    "allergens": "allergen_id",
    "supplement_types": "supplement_type_id",
    "third_party_certifications": "third_party_certification_id",
    "practitioner_types": "practitioner_type_id",
}


def region_rows(apis: Sequence[Api], region: str, named_variants: Iterable[str], extras: Iterable[str] = ()) -> Rows:
    """Every catalog table. `named_variants`: of all plans and orders of the region's clinics."""
    first = apis[0]
    rows: Rows = {
        table: [{key: row["id"], "name": row["name"]} for row in first.rows(f"/catalog/{table}")]
        for table, key in NAMED.items()
    }
    rows["brands"] = _brands(apis)
    granted = first.may("/catalog/products")
    products = _all_products(first) if granted else _reached(apis, named_variants)
    rows["products"] = [_product(row) for row in products.values()]
    rows["variants"] = [_variant(row["id"], one) for row in products.values() for one in row["variants"]]
    if granted and "similar_products" in extras:
        rows["similar_products"] = [
            {"product_id": one, "similar_product_id": row["id"], "similar_product_name": row["name"], "place": place}
            for one in products
            for place, row in enumerate(first.rows(f"/catalog/products/{one}/similar"))
        ]
    for query in [one.partition(":")[2] for one in extras if one.startswith("product_search:") and granted]:
        rows.setdefault("product_searches", []).extend(
            {"query": query, "product_id": row["id"], "product_name": row["name"], "place": place}
            for place, row in enumerate(first.rows("/catalog/search/products", query=query))
        )
    for table, key in NAMED.items():
        if granted and f"product_{table}" in extras:
            rows[f"product_{table}"] = [
                {key: value["id"], "product_id": row["id"]}
                for value in first.rows(f"/catalog/{table}")
                for row in first.rows("/catalog/search/products", **{f"{key}s[]": value["id"]})
            ]
    return {table: [{"region": region, **row} for row in found] for table, found in rows.items()}


def _brands(apis: Sequence[Api]) -> list[Record]:
    available = {row["id"] for row in apis[0].rows("/catalog/brands", available="true")}
    permitted = {row["id"] for api in apis for row in api.rows("/catalog/brands", clinic_permitted="true")}
    return [
        {
            "brand_id": row["id"],
            **{key: text(row[key]) for key in ("name", "prefix", "status")},
            "available": row["id"] in available,
            "clinic_permitted": row["id"] in permitted,
        }
        for row in apis[0].rows("/catalog/brands")
    ]


def _all_products(api: Api) -> dict[str, Record]:
    return {row["id"]: row for row in api.rows("/catalog/products")}


def _reached(apis: Sequence[Api], named_variants: Iterable[str]) -> dict[str, Record]:
    """What the side door shows: categories, then the products of the variants that plans and orders name."""
    found = {
        row["id"]: row
        for api in apis
        for category in api.rows("/clinic/categories")
        for row in api.rows(f"/clinic/categories/{category['id']}/products")
    }
    known = {one["id"] for row in found.values() for one in row["variants"]}
    for variant in sorted(set(named_variants) - known):
        product = of(apis[0].one(f"/catalog/variants/{variant}"), "product", "id")
        if product and product not in found:
            found[product] = apis[0].one(f"/catalog/products/{product}") or {}
    return found


def _product(row: Record) -> Record:
    dosage = row["dosage"]
    return {
        "product_id": row["id"],
        "name": text(row["name"]),
        "brand_id": of(row, "brand", "id"),
        "description_html": text(row["description_html"]),
        "dosage_recommended_amount": text(dosage["recommended_amount"]),
        "dosage_recommended_frequency": text(dosage["recommended_frequency"]),
        "dosage_recommended_duration": text(dosage["recommended_duration"]),
        "dosage_format": text(dosage["format"]),
        "dosage_additional_info": text(dosage["additional_info"]),
    }


def _variant(product: str, row: Record) -> Record:
    plain = ("sku", "unit_of_measure", "availability", "status", "upc", "supplier_sku")
    return {
        "variant_id": row["id"],
        "product_id": product,
        "is_primary": row["primary"],
        "units": number(row["units"]),
        "msrp": number(row["msrp"]),
        **{key: text(row[key]) for key in plain},
    }
