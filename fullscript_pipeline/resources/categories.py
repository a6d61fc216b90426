"""Each clinic's categories and what they show: the way to products where the whole list is refused.

What does not belong here: the products themselves (`products`).
"""

from fullscript_pipeline.resources.types import (
    SORTING,
    Column,
    Copy,
    Kind,
    RequestRule,
    Resource,
    Table,
    detail,
    list_of,
    nested_list,
    scopes,
    text,
)

CATEGORIES = Table(
    name="categories",
    scope="clinic",
    key=("category_id",),
    copies=(Copy.PSEUDONYMISED,),
    columns=(text("name").published(Copy.PSEUDONYMISED),),
)

CATEGORY_PRODUCTS = Table(
    name="category_products",
    scope="clinic",
    key=("category_id", "product_id"),
    copies=(Copy.PSEUDONYMISED,),
    columns=(Column(name="product_name", kind=Kind.TEXT, source=("name",)).published(Copy.PSEUDONYMISED),),
)

CATEGORIES_RESOURCE = Resource(
    name="categories",
    texts={
        "categories": "Each clinic's categories.",
        "category_products": "Which products each category shows.",
    },
    tables=(CATEGORIES, CATEGORY_PRODUCTS),
    endpoints=(
        list_of("categories", "/clinic/categories", None),
        detail("category", "/clinic/categories/{id}", None),
        nested_list(
            "category_products",
            "/clinic/categories/{category_id}/products",
            scopes.CATALOG,
            "products",
            filters=SORTING,
        ),
    ),
    source="GET /catalog/products (restricted), else categories and products by id",
    scope=scopes.CATALOG,
    partition="region",
    group="catalog",
    contains_phi=False,
    request_rules=(
        RequestRule(
            requests="GET /clinic/categories, GET /clinic/categories/{id}/products",
            number="all pages, for each clinic",
            why="finds products where the full list is refused",
        ),
    ),
)
