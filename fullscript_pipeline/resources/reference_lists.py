"""The catalog's small lists of an id and a name: a line each.

What does not belong here: brands (`brands`), which are listed in several forms.
"""

from fullscript_pipeline.resources.types import (
    WHOLE_LIST,
    Copy,
    Endpoint,
    Resource,
    Table,
    detail,
    list_of,
    scopes,
    text,
)


def _table(name: str, singular: str, *copies: Copy) -> Table:
    return Table(
        name=name,
        scope="region",
        key=(f"{singular}_id",),
        history=True,
        copies=copies,
        columns=(text("name").published(*copies),),
    )


def _resource(table: Table, *details: Endpoint) -> Resource:
    return Resource(
        name=table.name,
        texts={table.name: f"The catalog's {table.name.replace('_', ' ')}, every version kept."},
        tables=(table,),
        endpoints=(list_of(table.name, f"/catalog/{table.name}", scopes.CATALOG), *details),
        partition="region",
        group="catalog",
        contains_phi=False,
        listing="whole list",
        estimate=WHOLE_LIST,
    )


def _detail(table: Table) -> Endpoint:
    return detail(table.key[-1].removesuffix("_id"), f"/catalog/{table.name}/{{id}}", scopes.CATALOG)


INGREDIENTS = _table("ingredients", "ingredient", Copy.PSEUDONYMISED)
ALLERGENS = _table("allergens", "allergen", Copy.PSEUDONYMISED)
SUPPLEMENT_TYPES = _table("supplement_types", "supplement_type", Copy.PSEUDONYMISED)
THIRD_PARTY_CERTIFICATIONS = _table("third_party_certifications", "third_party_certification", Copy.PSEUDONYMISED)
PRACTITIONER_TYPES = _table("practitioner_types", "practitioner_type", Copy.PSEUDONYMISED, Copy.SHIFTED)

INGREDIENTS_RESOURCE = _resource(INGREDIENTS, _detail(INGREDIENTS))
ALLERGENS_RESOURCE = _resource(ALLERGENS, _detail(ALLERGENS))
SUPPLEMENT_TYPES_RESOURCE = _resource(SUPPLEMENT_TYPES, _detail(SUPPLEMENT_TYPES))
THIRD_PARTY_CERTIFICATIONS_RESOURCE = _resource(THIRD_PARTY_CERTIFICATIONS, _detail(THIRD_PARTY_CERTIFICATIONS))
PRACTITIONER_TYPES_RESOURCE = _resource(PRACTITIONER_TYPES)
