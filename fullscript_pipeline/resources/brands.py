"""The region's brands, and which of them each clinic has access to. What does not belong here: their `products`."""

from fullscript_pipeline.resources.types import (
    BOTH_COPIES,
    Column,
    Copy,
    Kind,
    RequestEstimate,
    RequestRule,
    Resource,
    Table,
    detail,
    flag,
    list_of,
    scopes,
    text,
)

# `available` and `clinic_permitted` come from the two filtered listings; permitted: to any of the region's clinics.
BRANDS = Table(
    name="brands",
    scope="region",
    key=("brand_id",),
    history=True,
    copies=BOTH_COPIES,
    columns=(
        text("name").published(),
        text("prefix").published(Copy.PSEUDONYMISED),
        text("status").published(Copy.PSEUDONYMISED),
        flag("available").published(Copy.PSEUDONYMISED),
        flag("clinic_permitted").published(Copy.PSEUDONYMISED),
    ),
)

CLINIC_BRANDS = Table(
    name="clinic_brands",
    scope="clinic",
    key=("brand_id",),
    columns=(Column(name="brand_name", kind=Kind.TEXT, source=("name",)),),
)

BRANDS_RESOURCE = Resource(
    name="brands",
    texts={"brands": "The catalog's brands, every version kept."},
    tables=(BRANDS,),
    endpoints=(
        list_of("brands", "/catalog/brands", scopes.CATALOG, filters=("available", "clinic_permitted")),
        detail("brand", "/catalog/brands/{id}", scopes.CATALOG),
    ),
    partition="region",
    group="catalog",
    contains_phi=False,
    # All of them, then those on sale.
    estimate=RequestEstimate(rule="whole list", forms=2),
    request_rules=(
        RequestRule(
            requests="GET /catalog/brands, GET /catalog/brands?available=true",
            number="all pages of both, from one clinic",
            why="says what is on sale",
        ),
    ),
)

CLINIC_BRANDS_RESOURCE = Resource(
    name="clinic_brands",
    texts={"clinic_brands": "The brands that each clinic has access to."},
    tables=(CLINIC_BRANDS,),
    source="GET /catalog/brands?clinic_permitted=true",
    scope=scopes.CATALOG,
    partition="region",
    group="catalog",
    contains_phi=False,
    request_rules=(
        RequestRule(
            requests="GET /catalog/brands?clinic_permitted=true",
            number="all pages, for each clinic",
            why="says which clinic may prescribe a brand",
        ),
    ),
)
