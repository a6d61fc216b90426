"""What the vendor names as similar to a product, and what it finds for a query: on request only.

What does not belong here: the products themselves (`products`).
"""

from fullscript_pipeline.resources.types import (
    ON_REQUEST,
    Column,
    Copy,
    Kind,
    RequestEstimate,
    Resource,
    Table,
    integer,
    list_of,
    nested_list,
    scopes,
)

# Most similar first.
SIMILAR_PRODUCTS = Table(
    name="similar_products",
    scope="region",
    key=("product_id", "similar_product_id"),
    copies=(Copy.PSEUDONYMISED,),
    columns=(
        integer("place").published(Copy.PSEUDONYMISED),
        Column(name="similar_product_name", kind=Kind.TEXT, source=("name",)).published(Copy.PSEUDONYMISED),
    ),
)

PRODUCT_SEARCHES = Table(
    name="product_searches",
    scope="region",
    key=("query", "product_id"),
    copies=(Copy.PSEUDONYMISED,),
    columns=(
        integer("place").published(Copy.PSEUDONYMISED),
        Column(name="product_name", kind=Kind.TEXT, source=("name",)).published(Copy.PSEUDONYMISED),
    ),
)

SIMILAR_PRODUCTS_RESOURCE = Resource(
    name="similar_products",
    texts={"similar_products": "What the vendor calls similar to each product, most similar first."},
    tables=(SIMILAR_PRODUCTS,),
    made_from={"similar_products": ("products",)},
    endpoints=(
        nested_list(
            "similar_products",
            "/catalog/products/{product_id}/similar",
            scopes.CATALOG,
            "products",
            restricted=True,
        ),
    ),
    partition="region",
    group="catalog",
    contains_phi=False,
    cadence=f"{ON_REQUEST}; restricted",
    option="similar_products",
    estimate=RequestEstimate(
        rule="as last time",
        shown_as="GET /catalog/products/{id}/similar",
        first_each="product",
        why="one for each product, then a share a day",
    ),
)

PRODUCT_SEARCHES_RESOURCE = Resource(
    name="product_searches",
    texts={"product_searches": "What the catalog's search finds for the configured queries."},
    tables=(PRODUCT_SEARCHES,),
    endpoints=(
        list_of(
            "search_products",
            "/catalog/search/products",
            scopes.CATALOG,
            restricted=True,
            filters=(
                "query",
                "brand_id",
                "allergen_ids[]",
                "ingredient_ids[]",
                "supplement_type_ids[]",
                "third_party_certification_ids[]",
            ),
        ),
    ),
    partition="region",
    group="catalog",
    contains_phi=False,
    cadence=f"{ON_REQUEST}; restricted",
    option="product_search",
    estimate=RequestEstimate(rule="as last time", first_each="query", why="one for each query"),
)
