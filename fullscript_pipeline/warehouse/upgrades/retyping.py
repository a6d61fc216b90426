"""Types fields again that an older version of the program could not type; their text is in `extra`.

It adds no version of a row. What does not belong here: complete records in quarantine (`quarantine_replay`).
"""

import duckdb

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.types import Column, Kind, Table
from fullscript_pipeline.warehouse.loading import record_typing


def retype(con: duckdb.DuckDBPyConnection) -> int:
    """Fills every NULL column whose text can be typed now. Returns the number of changed rows."""
    return sum(_retype(con, table) for table in ALL_TABLES)


def _retype(con: duckdb.DuckDBPyConnection, table: Table) -> int:
    columns = [
        column for column in table.columns if record_typing.reports_untyped(column) and "." not in column.source[0]
    ]
    if not columns:
        return 0
    keys = dict.fromkeys(f"'{path}'" for column in columns for path in column.source if "." not in path)
    both = [
        f"{record_typing.typed_value(column)} AS typed_{column.name}, {column.name} AS stored_{column.name}"
        for column in columns
    ]
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE retyped AS
        SELECT *, {record_typing.unmapped_json(table, keep_untyped=True)} AS left_over
        FROM (SELECT *, {record_typing.untyped(table)} AS untyped,
                {record_typing.rounded(table)} AS rounded, {", ".join(both)}
            FROM (SELECT *, rowid AS place, extra::VARCHAR AS record,
                json_transform(extra, '{record_typing.json_structure(table)}') AS r
                FROM {table.stored_in} WHERE list_has_any(json_keys(extra), [{", ".join(keys)}])))"""
    )
    values = ", ".join(f"{column.name} = {_better(column)}" for column in columns)
    changed = " OR ".join(f"n.stored_{column.name} IS DISTINCT FROM {_better(column)}" for column in columns)
    done = con.execute(
        f"UPDATE {table.stored_in} AS s SET extra = n.left_over, {values} FROM retyped n "
        f"WHERE s.rowid = n.place AND ({changed})"
    ).fetchone()
    con.execute("DROP TABLE retyped")
    return int(done[0]) if done else 0


def _better(column: Column) -> str:
    stored = f"n.stored_{column.name}"
    nothing = f"nullif({stored}, [])" if column.kind is Kind.LIST else stored
    return f"coalesce({nothing}, n.typed_{column.name}, {stored})"
