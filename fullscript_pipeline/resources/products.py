"""A region's products and their variants, and what a clinic's plans and orders name beyond them.

What does not belong here: `categories`, searches (`product_searches`), how products are found (`extraction`).
"""

from fullscript_pipeline.resources.types import (
    BOTH_COPIES,
    EVENT_FILTERS,
    Child,
    Column,
    Copy,
    EventFamily,
    RequestRule,
    Resource,
    Table,
    decimal,
    detail,
    flag,
    id_sql,
    list_of,
    reference,
    scopes,
    text,
)

# The vendor's catalog knows no person: nearly all of it is published.
VARIANTS = Table(
    name="variants",
    scope="region",
    key=("variant_id",),
    history=True,
    copies=BOTH_COPIES,
    columns=(
        Column(
            name="product_id",
            source=("product.id", "product_id"),
            sql=f"coalesce(parent_id, {id_sql.usable_id('r.product.id')}, {id_sql.usable_id('r.product_id')})",
        ).published(),
        text("name").published(Copy.PSEUDONYMISED),
        text("sku").published(),
        flag("is_primary", "primary").published(Copy.PSEUDONYMISED),
        decimal("units", exact=True).published(),
        text("units_raw", "units").published(Copy.PSEUDONYMISED),
        text("unit_of_measure").published(),
        text("availability").published(Copy.PSEUDONYMISED),
        text("status").published(Copy.PSEUDONYMISED),
        text("upc").published(Copy.PSEUDONYMISED),
        decimal("msrp", exact=True).published(),
        text("msrp_raw", "msrp").published(Copy.PSEUDONYMISED),
        text("supplier_sku").published(Copy.PSEUDONYMISED),
    ),
    untyped=("product",),
)

PRODUCTS = Table(
    name="products",
    scope="region",
    key=("product_id",),
    history=True,
    copies=BOTH_COPIES,
    columns=(
        text("name").published(),
        reference("brand_id").published(),
        text("description_html").published(Copy.PSEUDONYMISED),
        text("dosage_recommended_amount", "dosage.recommended_amount").published(Copy.PSEUDONYMISED),
        text("dosage_recommended_frequency", "dosage.recommended_frequency").published(Copy.PSEUDONYMISED),
        text("dosage_recommended_duration", "dosage.recommended_duration").published(Copy.PSEUDONYMISED),
        text("dosage_format", "dosage.format").published(),
        text("dosage_additional_info", "dosage.additional_info").published(Copy.PSEUDONYMISED),
    ),
    children=(Child(table=VARIANTS, array="variants", parent_column="product_id"),),
    untyped=("brand", "dosage", "primary_variant"),
)

PRODUCTS_RESOURCE = Resource(
    name="products",
    texts={
        "products": "Products, every version kept; a product is gone only when every clinic is told 404 twice. "
        "Materialize marts/catalog_changes and reports/catalog_digest with it: they compare it with the day before.",
        "variants": "The variants of each product: size, price (msrp), availability.",
        "catalog_coverage": "How each product was found, by which clinic, when first and last.",
    },
    tables=(PRODUCTS,),
    endpoints=(
        list_of("products", "/catalog/products", scopes.CATALOG, restricted=True),
        detail("product", "/catalog/products/{id}", scopes.CATALOG, filters=("practitioner_id",)),
    ),
    source="GET /catalog/products (restricted), else categories and products by id",
    partition="region",
    group="catalog",
    contains_phi=False,
    request_rules=(
        RequestRule(
            requests="GET /catalog/products",
            number="all pages, from the first clinic that may read it; one 403 per clinic otherwise",
            why="most apps are refused",
        ),
        RequestRule(
            requests="GET /catalog/products/{id}",
            number="the known products that no list showed whole today (with their variants, text and dosage)",
            why="a 404 from every clinic is the only proof that a product is gone",
        ),
    ),
    events=EventFamily(
        prefix="product",
        name="products",
        feed=list_of("product_events", "/events/products", scopes.CATALOG, "events", filters=EVENT_FILTERS),
        object_names=("product",),
        table="products",
    ),
)

VARIANTS_RESOURCE = Resource(
    name="variants",
    texts={
        "clinic_variants": "Variants that this clinic's plans and orders name and the region's catalog lacked: looked "
        "up, and whether the server knew them. What is found goes to the region's products and variants."
    },
    endpoints=(detail("variant", "/catalog/variants/{id}", scopes.CATALOG),),
    source="GET /catalog/variants/{id}, GET /catalog/products/{id}",
    group="catalog",
    contains_phi=False,
    made_from={"clinic_variants": ("recommendations", "order_line_items")},
    request_rules=(
        RequestRule(
            requests="GET /catalog/variants/{id}",
            number="variants of plans and orders that the catalog lacks; unknown ones, and those that no product "
            "brings, again after 7 days; all variants of a product that only names them",
            why="a plan line knows only its variant",
        ),
    ),
)
