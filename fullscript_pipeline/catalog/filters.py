"""Resolves the filters of a comparison: a brand by id or name, a field by its path, kinds of object.

An unknown name is a UsageError that lists the known ones. What does not belong here: applying the filters (changes.py).
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from shlex import quote
from typing import Protocol

import duckdb

from fullscript_pipeline.catalog.entities import ENTITIES, FIELDS, Entity
from fullscript_pipeline.errors import UsageError


class CatalogRow(Protocol):
    """The attribute of a change that a filter reads."""

    @property
    def field(self) -> str | None: ...


def find_entities(names: Sequence[str]) -> list[Entity]:
    """The kinds with these names, in the catalog's own order. Raises UsageError for an unknown name."""
    for name in names:
        if name not in ENTITIES:
            raise UsageError(f"There is no catalog entity {name!r}; choose among --entity {', '.join(ENTITIES)}.")
    return [entity for entity in ENTITIES.values() if entity.name in set(names)]


def check_field(field: str | None, rows: Iterable[CatalogRow]) -> str | None:
    """The field, or None for all fields. Raises UsageError if no entity has it and no row changed it."""
    if field is None or field in FIELDS or any(row.field == field for row in rows):
        return field
    raise UsageError(f"There is no catalog field {field!r}; choose among --field {', '.join(FIELDS)}.")


def find_brand_ids(con: duckdb.DuckDBPyConnection, region: str, brand: str | None) -> set[str] | None:
    """The ids of the brands with that id or name (any letter case, past names included), or None for all brands.

    Raises UsageError for an unknown brand, with the nearest names and a command that takes one.
    """
    if brand is None:
        return None
    rows = con.execute("SELECT DISTINCT brand_id, name FROM history.brands WHERE region = ?", [region]).fetchall()
    folded = brand.strip().casefold()
    ids = {ident for ident, name in rows if ident == brand or (name or "").strip().casefold() == folded}
    if ids:
        return ids
    names = {name.casefold(): name for _, name in rows if name}
    near = [names[match] for match in get_close_matches(folded, names, n=3)]
    some = near or [names[match] for match in sorted(names)[:3]]
    hint = f"did you mean {' or '.join(near)}?" if near else f"some that it has: {', '.join(some) or 'none yet'}."
    works = (
        f" This works: `fullscript-pipeline catalog changes --region {region} --brand {quote(some[0])}`."
        if some
        else ""
    )
    raise UsageError(f"Region {region} has no brand {brand!r}; {hint}{works}")
