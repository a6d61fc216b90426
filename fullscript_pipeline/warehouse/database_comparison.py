"""Compares two attached databases: every table by its number of rows and the sum of their hashes, every view and macro.

What does not belong here: copying one into the other (`reencryption`, `warehouse_move`).
"""

import duckdb

from fullscript_pipeline.errors import PipelineError


def require_equal(con: duckdb.DuckDBPyConnection, former: str, copy: str, *, what: str) -> int:
    """Returns how many rows both have. Raises PipelineError, naming the tables that differ."""
    of_former, of_copy = contents(con, former), contents(con, copy)
    if of_former != of_copy:
        differ = sorted({name for name, *_ in set(of_former) ^ set(of_copy)})
        raise PipelineError(f"{what} could not be copied whole: {', '.join(differ)} differ in the copy.")
    return sum(rows for _, rows, hashes in of_former if hashes is not None)


def contents(con: duckdb.DuckDBPyConnection, database: str) -> list[tuple[str, int, int | None]]:
    """Every table with its row count and the sum of its row hashes, and every view and macro."""
    tables = con.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ? AND NOT internal ORDER BY ALL",
        [database],
    ).fetchall()
    contents: list[tuple[str, int, int | None]] = []
    for schema, table in tables:
        # In the order of their names: a column that an upgrade has added is the last one of an older file.
        columns = con.execute(
            "SELECT string_agg('\"' || column_name || '\"', ', ' ORDER BY column_name) FROM duckdb_columns() "
            "WHERE (database_name, schema_name, table_name) = (?, ?, ?)",
            [database, schema, table],
        ).fetchall()[0][0]
        query = f'SELECT count(*), sum(hash({columns})) FROM {database}."{schema}"."{table}" t'
        rows, hashes = con.execute(query).fetchall()[0]
        contents.append((f"{schema}.{table}", rows, hashes))
    others = con.execute(
        """SELECT schema_name || '.' || view_name, 1, NULL FROM duckdb_views()
        WHERE database_name = $1 AND NOT internal UNION ALL
        SELECT schema_name || '.' || function_name, 2, NULL FROM duckdb_functions()
        WHERE database_name = $1 AND NOT internal ORDER BY ALL""",
        [database],
    ).fetchall()
    return [*contents, *others]
