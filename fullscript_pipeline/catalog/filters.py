"""What a reader may ask for: a brand by id or name, a field by its path, kinds of object. Unknown words are an answer.

What does not belong here: applying the filters (changes.py).
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Protocol

import duckdb

from fullscript_pipeline.catalog.entities import ENTITIES, FIELDS, Entity
from fullscript_pipeline.errors import UsageError


class CatalogRow(Protocol):
    """What a filter looks at."""

    @property
    def field(self) -> str | None: ...


def chosen_entities(names: Sequence[str]) -> list[Entity]:
    """The kinds named, in the catalog's own order. Raises UsageError for one there is not."""
    for name in names:
        if name not in ENTITIES:
            raise UsageError(f"There is no catalog entity {name!r}; choose among {', '.join(ENTITIES)}.")
    return [entity for entity in ENTITIES.values() if entity.name in set(names)]


def chosen_field(field: str | None, rows: Iterable[CatalogRow]) -> str | None:
    """The field, or None for all. Raises UsageError for one that no entity has and that moved on none of the rows."""
    if field is None or field in FIELDS or any(row.field == field for row in rows):
        return field
    raise UsageError(f"There is no catalog field {field!r}; choose among {', '.join(FIELDS)}.")


def chosen_brand(con: duckdb.DuckDBPyConnection, region: str, brand: str | None) -> set[str] | None:
    """Ids of the brands with that id or name (any letter case), past names included; None for all brands.

    Raises UsageError for an unknown brand, with the nearest names.
    """
    if brand is None:
        return None
    rows = con.execute("SELECT DISTINCT brand_id, name FROM history.brands WHERE region = ?", [region]).fetchall()
    wanted = brand.strip().casefold()
    found = {ident for ident, name in rows if ident == brand or (name or "").strip().casefold() == wanted}
    if found:
        return found
    names = {name.casefold(): name for _, name in rows if name}
    near = [names[one] for one in get_close_matches(wanted, names, n=3)]
    hint = f"did you mean {' or '.join(near)}?" if near else "its id or its exact name is needed."
    raise UsageError(f"Region {region} has no brand {brand!r}; {hint}")
