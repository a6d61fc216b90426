"""What only the search's filters tell of a product (ingredients, allergens, types, certifications): on request only.

What does not belong here: the names of the values (`reference_lists`), the products themselves (`products`).
"""

from fullscript_pipeline.resources.reference_lists import (
    ALLERGENS,
    INGREDIENTS,
    SUPPLEMENT_TYPES,
    THIRD_PARTY_CERTIFICATIONS,
)
from fullscript_pipeline.resources.types import ON_REQUEST, Copy, RequestEstimate, Resource, Table, scopes


def _table(values: Table) -> Table:
    # A row says that a product has the value, and nothing else: the catalog has names.
    return Table(
        name=f"product_{values.name}",
        scope="region",
        key=(values.key[-1], "product_id"),
        columns=(),
        history=True,
        copies=(Copy.PSEUDONYMISED,),
    )


def _resource(table: Table, values: Table) -> Resource:
    return Resource(
        name=table.name,
        texts={
            table.name: f"Which products have which of the catalog's {values.name.replace('_', ' ')}, with history: as "
            "the search shows it to the first clinic that may search."
        },
        tables=(table,),
        made_from={table.name: (values.name,)},
        source=f"GET /catalog/search/products?{search_filter(values)}",
        scope=scopes.CATALOG,
        partition="region",
        group="catalog",
        contains_phi=False,
        cadence=f"{ON_REQUEST}: once per value, then a rolling share; restricted",
        option=table.name,
        estimate=RequestEstimate(
            rule="as last time",
            shown_as="GET /catalog/search/products",
            first_each="catalog value",
            why="one for each value, then a share a day",
        ),
    )


def search_filter(values: Table) -> str:
    """The parameter of the search that takes ids of these values."""
    return f"{values.key[-1]}s[]"


PRODUCT_INGREDIENTS = _table(INGREDIENTS)
PRODUCT_ALLERGENS = _table(ALLERGENS)
PRODUCT_SUPPLEMENT_TYPES = _table(SUPPLEMENT_TYPES)
PRODUCT_THIRD_PARTY_CERTIFICATIONS = _table(THIRD_PARTY_CERTIFICATIONS)

PRODUCT_INGREDIENTS_RESOURCE = _resource(PRODUCT_INGREDIENTS, INGREDIENTS)
PRODUCT_ALLERGENS_RESOURCE = _resource(PRODUCT_ALLERGENS, ALLERGENS)
PRODUCT_SUPPLEMENT_TYPES_RESOURCE = _resource(PRODUCT_SUPPLEMENT_TYPES, SUPPLEMENT_TYPES)
PRODUCT_THIRD_PARTY_CERTIFICATIONS_RESOURCE = _resource(PRODUCT_THIRD_PARTY_CERTIFICATIONS, THIRD_PARTY_CERTIFICATIONS)

ATTRIBUTE_RESOURCES = (
    PRODUCT_INGREDIENTS_RESOURCE,
    PRODUCT_ALLERGENS_RESOURCE,
    PRODUCT_SUPPLEMENT_TYPES_RESOURCE,
    PRODUCT_THIRD_PARTY_CERTIFICATIONS_RESOURCE,
)
# Each table with the list of its values.
ATTRIBUTE_VALUES = (
    (PRODUCT_INGREDIENTS, INGREDIENTS),
    (PRODUCT_ALLERGENS, ALLERGENS),
    (PRODUCT_SUPPLEMENT_TYPES, SUPPLEMENT_TYPES),
    (PRODUCT_THIRD_PARTY_CERTIFICATIONS, THIRD_PARTY_CERTIFICATIONS),
)
