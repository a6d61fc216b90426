"""Makes docs/data-dictionary.md (`make dictionary`) from the real tables, their descriptions and the API's.

`python -m fullscript_pipeline_tests.helpers.data_dictionary` writes it; a test holds the file equal. What does not
belong here: meanings (column_meanings.toml, docs/fullscript-api/openapi.yaml).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

from fullscript_pipeline.api.description import load_description
from fullscript_pipeline.orchestration.assets import column_meanings, columns_elsewhere
from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.types import Column, Table
from fullscript_pipeline.warehouse.upgrades.migrations import statements

DOCS = Path(__file__).parents[2] / "docs"
FILE = DOCS / "data-dictionary.md"
MEANINGS = column_meanings()

# The object of the API's description that fills a table, where it is not the table's name in the singular.
OBJECTS = {
    "addresses": "address", "allergens": "allergen", "brands": "brand", "categories": "category",
    "category_products": "product", "clinic_brands": "brand", "clinics": "clinic", "events": "event",
    "external_ids": "metadata", "ingredients": "ingredient", "lab_order_results": "lab_result",
    "lab_order_tests": "named", "lab_orders": "lab_order", "lab_recommendations": "lab_recommendation",
    "lab_tests": "lab_test", "order_line_items": "line_item", "orders": "order", "patients": "patient",
    "practitioner_protocols": "protocol", "practitioner_resources": "resource",
    "practitioner_types": "practitioner_type", "practitioners": "practitioner", "product_searches": "product",
    "products": "product", "product_ingredients": "product", "product_allergens": "product",
    "product_supplement_types": "product", "product_third_party_certifications": "product",
    "custom_dosages": "product_dosage", "protocol_lab_recommendations": "lab_recommendation",
    "protocol_recommendations": "recommendation", "protocol_resources": "resource", "protocols": "protocol",
    "recommendations": "recommendation", "resources": "resource", "similar_products": "product", "staff": "staff",
    "supplement_types": "supplement_type", "templates": "template",
    "third_party_certifications": "third_party_certification", "treatment_plan_resources": "resource",
    "treatment_plans": "treatment_plan", "variants": "variant", "webhook_deliveries": "webhook_delivery",
}  # fmt: skip
# What a pull adds to a record before it is loaded.
_ADDED = frozenset({"seen_by", "processed_at", "available", "clinic_permitted", "ownership", "place"})
# What every table has, or every table with history; told once.
_COMMON = ("extra", "content_hash", "observed_at", "removed_at", "valid_from", "valid_to", "known_at")
_COMMON_PHI = {"extra": "as its table"}
# Columns that say nothing about a person, whatever the table is about.
_NEUTRAL = frozenset({"clinic_id", "region", "position", *_COMMON} - {"extra"})
_TYPES = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}
_GROUPS = {
    "core": "Core: what the API says",
    "marts": "Marts: what is made of it",
    "ops": "Operations",
    "state": "State store: the tables that the UI shows (SQLite)",
    "reports": "Files beside the pages",
}
_HEAD = """# Data dictionary

Made by `make dictionary` from the tables, their descriptions and [the API's](fullscript-api/README.md); do not edit.
Every column of every table, with its type, what it means, the property it comes from, how sure we are of that, and
whether it is about a patient.

* **source**: the property of the vendor's record, dotted where nested; of several the first that is not empty. *ours*:
  we make it.
* **sure**: `documented` by the vendor, `observed` in public integrations, `inferred` by us, `unknown` (accepted, but
  the description does not have it).
* **PHI**: `patient` (about a patient), `personal` (about a practitioner or staff), empty: neither. Ids count.
* Tables **with history** are stored as `history.<name>`, every version; `core.<name>` is the latest of each key and has
  all columns but `valid_to`. `history.<name>_as_of(instant)` gives the rows as they were at an instant, in Python
  `warehouse.asof.as_of`: valid time as known now, so a change that was learned late (`known_at`) counts from when it
  happened (`valid_from`).
"""


@dataclass(frozen=True)
class Row:
    """A column as the dictionary shows it."""

    name: str
    type: str
    meaning: str
    source: str
    sure: str
    phi: str


def tables() -> dict[str, list[tuple[str, str]]]:
    """Columns and types of every table and view of a migrated warehouse (of a table with history, of that), and of what
    else the UI shows."""
    marts = [
        files(f"fullscript_pipeline.{room}").joinpath("sql", "marts.sql").read_text(encoding="utf-8")
        for room in ("adherence", "catalog")
    ]
    with duckdb.connect(":memory:") as con:
        for statement in statements(marts):
            con.execute(statement)
        rows = con.execute(
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE NOT internal AND database_name = 'memory' ORDER BY schema_name, table_name, column_index"
        ).fetchall()
    columns_by_table: dict[str, list[tuple[str, str]]] = {}
    for schema, table, column, kind in rows:
        columns_by_table.setdefault(f"{schema}.{table}", []).append((column, _TYPES.get(kind, kind)))
    # The view has the columns of its history, all but one.
    both = [
        name
        for name in columns_by_table
        if name.startswith("history.") and name.replace("history", "core") in columns_by_table
    ]
    for name in both:
        columns_by_table[name.replace("history", "core")] = columns_by_table.pop(name)
    columns_by_table |= {name: list(columns.items()) for name, columns in columns_elsewhere().items()}
    return dict(sorted(columns_by_table.items()))


def described(name: str, columns: list[tuple[str, str]]) -> Iterator[Row]:
    """The rows of a table. Raises KeyError for a column that nothing gives a meaning to."""
    ours = MEANINGS[name]
    table = next((one for one in ALL_TABLES if f"core.{one.name}" == name), None)
    for column, kind in columns:
        source, schema = _source(table, column)
        meaning = ours.get(column) or _noted(MEANINGS["every"].get(column) or _plain(schema, column), schema)
        if not meaning:
            raise KeyError(f"column_meanings.toml says nothing of {name}.{column}")
        about = "" if ours["phi"] == "no" or column in _NEUTRAL else ours["phi"]
        yield Row(column, kind, meaning, source or "*ours*", str(schema.get("x-source", "")), about)


def _noted(meaning: str, its: Mapping[str, Any]) -> str:
    """With what the API's description adds."""
    note = str(its.get("description", ""))
    return f"{meaning} {note[0].upper()}{note[1:].rstrip('.')}." if note else meaning


def _plain(schema: Mapping[str, Any], column: str) -> str:
    """A property whose name says it all."""
    return f"{column.replace('_', ' ').capitalize()}." if schema.get("x-source", "unknown") != "unknown" else ""


def _source(table: Table | None, column: str) -> tuple[str, Mapping[str, Any]]:
    """Where a column comes from, and what the API's description says of that property."""
    if table is None or table.name not in OBJECTS:
        return "", {}
    described = next((one for one in table.columns if one.name == column), None)
    paths = _paths(table, column, described)
    found = [its for path in paths if (its := _property(OBJECTS[table.name], path))]
    unknown: Mapping[str, Any] = {"x-source": "unknown"} if paths else {}
    return " or ".join(f"`{path}`" for path in paths), found[0] if found else unknown


def _paths(table: Table, column: str, described: Column | None) -> tuple[str, ...]:
    if described is not None:
        return () if column in _ADDED else described.source
    if column == table.key[-1] and not table.by_position:
        return ("id",)
    return ()


def _property(name: str, path: str) -> Mapping[str, Any]:
    """A property of an object, following its parts; empty when it is not described."""
    first, _, inner_path = path.partition(".")
    schema: dict[str, Any] = load_description()["components"]["schemas"][name].get("properties", {}).get(first, {})
    if not schema or not inner_path:
        return schema
    options = [schema, *schema.get("anyOf", [])]
    reference = next((option["$ref"] for option in options if "$ref" in option), "")
    # Below an object that may hold anything.
    return _property(reference.rpartition("/")[2], inner_path) if reference else {"x-source": schema["x-source"]}


def text() -> str:
    """The whole file."""
    columns_by_table = tables()
    wide = {column: kind for columns in columns_by_table.values() for column, kind in columns}
    every = MEANINGS["every"]
    common = [Row(name, wide[name], every[name], "*ours*", "", _COMMON_PHI.get(name, "")) for name in _COMMON]
    parts = [_HEAD, "## In every table of core\n", "The last three with history only.\n", *_table(common)]
    for schema, title in _GROUPS.items():
        parts.append(f"\n## {title}\n")
        for name, columns in columns_by_table.items():
            if name.startswith(f"{schema}.") or (schema == "core" and name.startswith("history.")):
                parts += _section(name, columns)
    return "\n".join(parts)


def _section(name: str, columns: list[tuple[str, str]]) -> Iterator[str]:
    names = [column for column, _ in columns]
    kept = "valid_to" in names and name.startswith("core.")
    yield f"### {name}\n"
    yield MEANINGS[name]["is"] + (f" With history: `history.{name.partition('.')[2]}`." if kept else "") + "\n"
    common = [column for column in _COMMON if column in names] if "content_hash" in names else []
    yield from _table([row for row in described(name, columns) if row.name not in common])
    if common:
        yield f"\nAnd {', '.join(f'`{column}`' for column in common)}."
    yield ""


def _table(rows: list[Row]) -> Iterator[str]:
    yield "| column | type | meaning | source | sure | PHI |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        yield f"| {row.name} | {row.type} | {row.meaning} | {row.source} | {row.sure} | {row.phi} |"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
