"""What a warehouse holds, in a form that can be compared with what a server tells, or with another warehouse.

What does not belong here: mutations, and what must hold.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from fullscript_pipeline.resources import ALL_RESOURCES, ALL_TABLES
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline_tests.drills.mutated_clinic import MutatedClinic
from fullscript_pipeline_tests.drills.snapshot import RandomDay
from fullscript_pipeline_tests.helpers.table_hash import OUR_INSTANTS, WHETHER

Keys = dict[str, set[tuple[str, ...]]]
Row = dict[str, Any]
Contents = dict[str, dict[tuple[str, ...], Row]]
# The optional ones are not pulled here.
_TABLES = {table.name: table for resource in ALL_RESOURCES for table in resource.all_tables if resource.option is None}
PARENT_OF = {child.table.name: table.name for table in ALL_TABLES for child in table.children}
_OF_PLANS = ("treatment_plans", "recommendations", "treatment_plan_resources", "lab_recommendations")
# What an ordinary day of the clinic brings, without the region's and the library.
OF_THE_CLINIC = frozenset(
    {"clinics", "practitioners", "staff", "patients", *_OF_PLANS, "orders", "order_line_items", "lab_orders"}
    | {"lab_order_tests", "lab_order_results", "lab_tests", "events"}
)
# Of an event only what its row and its detail both say: which was read depends on whether a refresh came first.
_OF_EVENTS = ("clinic_id", "event_id", "event_type", "created_at")


def present(mutated: MutatedClinic) -> Keys:
    """The keys, as text, of the rows that are there and not removed."""
    keys: Keys = {name: set() for name in _TABLES}
    parts = (
        f"SELECT '{name}', [{', '.join(f'{column}::VARCHAR' for column in table.key_columns)}] FROM core.{name} "
        "WHERE removed_at IS NULL"
        for name, table in _TABLES.items()
    )
    for name, key in mutated.rows(" UNION ALL ".join(parts)):
        keys[name].add(tuple(key))
    return keys


def keys_of_events(day: RandomDay) -> Keys:
    """The keys of what the server has; of the catalog also what no list shows."""
    keys = {
        name: {tuple(str(row[column]) for column in table.key_columns) for row in day.rows.get(name, ())}
        for name, table in _TABLES.items()
    }
    for catalog in day.world.catalogs.values():
        keys["products"] |= {(catalog.region, key) for key in catalog.products}
        keys["variants"] |= {(catalog.region, key) for key in catalog.variants}
    return keys


def contents(mutated: MutatedClinic) -> Contents:
    """The rows that are there, by key, without our own instants."""
    columns = dict(
        mutated.rows(
            "SELECT table_name, list(column_name ORDER BY column_name) FROM duckdb_columns() "
            "WHERE database_name = current_catalog() AND schema_name = 'core' GROUP BY 1"
        )
    )
    rows_by_table: Contents = {}
    for name, table in _TABLES.items():
        shown = _OF_EVENTS if name == "events" else [one for one in columns[name] if one not in OUR_INSTANTS | WHETHER]
        struct = ", ".join(f"'{one}': \"{one}\"" for one in shown)
        sql = f"SELECT to_json({{{struct}}})::VARCHAR FROM core.{name} WHERE removed_at IS NULL"
        rows = [json.loads(text) for (text,) in mutated.rows(sql)]
        rows_by_table[name] = {tuple(str(row[column]) for column in table.key_columns): row for row in rows}
        assert len(rows_by_table[name]) == len(rows), f"{name} holds a key twice"
    return rows_by_table


def differences(
    ours: Contents,
    theirs: Contents,
    tables: Collection[str],
    truth: Keys,
    *,
    without_plans: Collection[str] = (),
    without_events: Collection[str] = (),
) -> Iterator[str]:
    """A line for each row that one of the two lacks, or that differs, with the columns in which it does.

    An event is read once: a time or type that was withheld then stays unknown. What the server has no more may be gone
    here already, where it was looked for more often.
    """
    for name in tables:
        for key in sorted(ours[name].keys() | theirs[name].keys()):
            ours_row, theirs_row = ours[name].get(key), theirs[name].get(key)
            left_out = frozenset(without_plans if name in _OF_PLANS else without_events if name == "events" else ())
            if not left_out.isdisjoint(key[1:2]) or (ours_row is None and key not in truth[name]):
                continue
            if ours_row is None or theirs_row is None:
                yield f"{name} {key}: {'missing' if ours_row is None else 'one that should not be there'}"
            elif columns := [column for column in theirs_row if _differs(name, ours_row[column], theirs_row[column])]:
                said = ", ".join(f"{column} {ours_row[column]!r}, not {theirs_row[column]!r}" for column in columns)
                yield f"{name} {key}: {said}"


def _differs(table: str, ours_row: Any, theirs_row: Any) -> bool:
    return bool(ours_row != theirs_row) and not (table == "events" and ours_row is None)


def undamaged_values_lost(ours: Contents, theirs: Contents, bent: Collection[str]) -> Iterator[str]:
    """Rows that are missing, and values that differ, though no field that they are made of was bent."""
    for name in OF_THE_CLINIC - {"events"}:
        allowed = {"extra", "content_hash"} | {
            column.name for column in _TABLES[name].columns if _reads(column.source, column.sql, bent)
        }
        for key in sorted(theirs[name]):
            ours_row, theirs_row = ours[name].get(key), theirs[name][key]
            if ours_row is None and not (_set_aside(name, bent) or _set_aside(PARENT_OF.get(name, name), bent)):
                yield f"{name} {key}: missing"
            elif ours_row is not None:
                for column in theirs_row:
                    if column not in allowed and ours_row[column] != theirs_row[column]:
                        yield f"{name} {key}: {column} {ours_row[column]!r}, not {theirs_row[column]!r}"


def _set_aside(name: str, bent: Collection[str]) -> bool:
    """Whether a record of the table may have been set aside: a figure needs one of these fields."""
    return any(column.strict and _reads(column.source, column.sql, bent) for column in _TABLES[name].columns)


def _reads(source: tuple[str, ...], sql: str | None, bent: Collection[str]) -> bool:
    words = {word for path in (*source, sql or "") for word in re.findall(r"\w+", path)}
    return not words.isdisjoint(bent)


def parent_key(name: str, key: tuple[str, ...]) -> str | None:
    """The id of the record that a part's row belongs to; None for what is no part of another."""
    table: Table = _TABLES[name]
    return key[1] if name in PARENT_OF and table.by_position else None
