"""As of: what an object with history looked like at an instant.

The answer is valid time as it is known now: a version counts from `valid_from` (when the change happened, where an
event or the record itself tells it; else when it was first seen) even if we learned of it later, at `known_at`.
What does not belong here: writing versions (`merge`), dating them (`valid_time`).
"""

from datetime import datetime

import duckdb

from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.resources.types import Table

VALID = "valid_from <= {when} AND (valid_to IS NULL OR valid_to > {when})"


def latest_view_sql(table: Table) -> str:
    """The statement that makes `core.<table>`: the latest versions, rows that are gone (`removed_at`) included."""
    return (
        f"CREATE OR REPLACE VIEW core.{table.name} AS SELECT * EXCLUDE (valid_to) FROM {table.stored_in} "
        "WHERE valid_to IS NULL"
    )


def as_of_macro_sql(table: Table) -> str:
    """The statement that makes `history.<table>_as_of(instant)`, a table macro. It gives what `core.<table>` would
    have given then, rows that were gone (`removed_at`) included."""
    when = VALID.format(when="instant::TIMESTAMPTZ")
    return (
        f"CREATE OR REPLACE MACRO history.{table.name}_as_of(instant) AS TABLE "
        f"SELECT * FROM history.{table.name} WHERE {when}"
    )


def as_of(con: duckdb.DuckDBPyConnection, table: str, when: datetime) -> duckdb.DuckDBPyRelation:
    """The rows of `history.<table>` that were valid at `when`, one per key.

    Raises UsageError for a naive `when` (whose midnight?) and for a table without history.
    """
    if when.tzinfo is None:
        raise UsageError(f"{when.isoformat()} has no time zone; give one, for instance `tzinfo=UTC`.")
    known = [
        str(name)
        for (name,) in con.execute(
            "SELECT table_name FROM duckdb_columns() WHERE schema_name = 'history' AND column_name = 'valid_to' "
            "ORDER BY 1"
        ).fetchall()
    ]
    if table not in known:
        raise UsageError(f"There is no history of {table}; there is of: {', '.join(known)}.")
    return con.sql(f"SELECT * FROM history.{table} WHERE {VALID.format(when='$when')}", params={"when": when})
