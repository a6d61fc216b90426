"""The region's catalog and each clinic's categories. What does not belong here: how products are found (extraction)."""

from fullscript_pipeline.warehouse.schema.id_sql import usable_id
from fullscript_pipeline.warehouse.schema.table_description import (
    Child,
    Column,
    Kind,
    Table,
    decimal,
    flag,
    integer,
    reference,
    text,
)

# `available` and `clinic_permitted` come from the two filtered listings; permitted: to any of the region's clinics.
BRANDS = Table(
    "brands",
    "region",
    key=("brand_id",),
    history=True,
    columns=(text("name"), text("prefix"), text("status"), flag("available"), flag("clinic_permitted")),
)

CLINIC_BRANDS = Table(
    "clinic_brands", "clinic", key=("brand_id",), columns=(Column("brand_name", Kind.TEXT, ("name",)),)
)

VARIANTS = Table(
    "variants",
    "region",
    key=("variant_id",),
    history=True,
    columns=(
        Column(
            "product_id",
            source=("product.id", "product_id"),
            sql=f"coalesce(parent_id, {usable_id('r.product.id')}, {usable_id('r.product_id')})",
        ),
        text("name"),
        text("sku"),
        flag("is_primary", "primary"),
        decimal("units", exact=True),
        text("units_raw", "units"),
        text("unit_of_measure"),
        text("availability"),
        text("status"),
        text("upc"),
        decimal("msrp", exact=True),
        text("msrp_raw", "msrp"),
        text("supplier_sku"),
    ),
    untyped=("product",),
)

PRODUCTS = Table(
    "products",
    "region",
    key=("product_id",),
    history=True,
    columns=(
        text("name"),
        reference("brand_id"),
        text("description_html"),
        text("dosage_recommended_amount", "dosage.recommended_amount"),
        text("dosage_recommended_frequency", "dosage.recommended_frequency"),
        text("dosage_recommended_duration", "dosage.recommended_duration"),
        text("dosage_format", "dosage.format"),
        text("dosage_additional_info", "dosage.additional_info"),
    ),
    children=(Child(VARIANTS, "variants", "product_id"),),
    untyped=("brand", "dosage", "primary_variant"),
)


def _named(name: str, singular: str) -> Table:
    return Table(name, "region", key=(f"{singular}_id",), history=True, columns=(text("name"),))


INGREDIENTS = _named("ingredients", "ingredient")
ALLERGENS = _named("allergens", "allergen")
SUPPLEMENT_TYPES = _named("supplement_types", "supplement_type")
THIRD_PARTY_CERTIFICATIONS = _named("third_party_certifications", "third_party_certification")
PRACTITIONER_TYPES = _named("practitioner_types", "practitioner_type")

CATEGORIES = Table("categories", "clinic", key=("category_id",), columns=(text("name"),))

CATEGORY_PRODUCTS = Table(
    "category_products",
    "clinic",
    key=("category_id", "product_id"),
    columns=(Column("product_name", Kind.TEXT, ("name",)),),
)

# Opt-in: which products the vendor names as similar, most similar first, and what it found for a query.
SIMILAR_PRODUCTS = Table(
    "similar_products",
    "region",
    key=("product_id", "similar_product_id"),
    columns=(integer("place"), Column("similar_product_name", Kind.TEXT, ("name",))),
)

PRODUCT_SEARCHES = Table(
    "product_searches",
    "region",
    key=("query", "product_id"),
    columns=(integer("place"), Column("product_name", Kind.TEXT, ("name",))),
)
