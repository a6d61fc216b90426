"""Moves the warehouse from its file into a lake, or back, table by table; both are compared before the move counts.

The former place is left as it was but for the file's name, so that no process goes on with it. What does not belong
here: making the tables (`upgrades`), the state store (`state.store_move`).
"""

from pathlib import Path

import duckdb

from fullscript_pipeline.errors import ConfigurationError, PipelineError
from fullscript_pipeline.warehouse.attachment import ALIAS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.database_comparison import require_equal
from fullscript_pipeline.warehouse.duckdb_errors import end_query

# What follows the name of a file that was moved into a lake.
MOVED = ".moved"


def move_into_lake(file: Warehouse, lake: Warehouse) -> int:
    """Fills the lake, which has tables and no rows, from the file, and renames the file. Returns the number of rows.

    Raises ConfigurationError if the lake holds rows already, Busy if one of the two is held too long.
    """
    with file.exclusive_file() as path, lake.maintain() as con:
        (pulls,) = con.execute("SELECT count(*) FROM ops.pulls").fetchone() or (0,)
        if pulls:
            raise ConfigurationError(
                f"The lake in {lake.place} holds data already: name an empty database, or drop its schema `lake` and "
                "delete the lake's files."
            )
        lake.attach_file(con, "source", path, file.key, is_read_only=True)
        try:
            rows = _copy_all(con, path)
        finally:
            con.execute("DETACH DATABASE IF EXISTS source")
        path.replace(moved_file(path))
        Path(f"{path}.wal").unlink(missing_ok=True)
    return rows


def move_out_of_lake(lake: Warehouse, file: Warehouse) -> int:
    """Writes the file from the lake, which stays as it is. Returns the number of rows.

    Raises ConfigurationError if there is a file already, Busy if it is held too long.
    """
    fresh = file.path.with_name(f".{file.path.name}.arriving")
    for left in (fresh, Path(f"{fresh}.wal")):
        left.unlink(missing_ok=True)
    with file.exclusive_file(checkpointed=False) as path:
        if path.exists():
            raise ConfigurationError(f"There is a warehouse at {path} already: move it away first.")
        with lake.read_with_target(fresh, file.key) as con:
            con.execute(f"COPY FROM DATABASE {ALIAS} TO target")
            rows = require_equal(con, ALIAS, "target", what=f"The lake in {lake.place}")
        fresh.replace(path)
    return rows


def moved_file(path: Path) -> Path:
    """What the file is called after a move."""
    return path.with_name(f"{path.name}{MOVED}")


def _copy_all(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    """In one transaction, which is committed only after both sides were found to be the same."""
    con.execute("BEGIN")
    try:
        _copy_tables(con)
        rows = require_equal(con, "source", ALIAS, what=str(path))
    except BaseException as error:
        end_query(con, error)
        con.execute("ROLLBACK")
        raise
    con.execute("COMMIT")
    return rows


def _copy_tables(con: duckdb.DuckDBPyConnection) -> None:
    tables = con.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'source' AND NOT internal "
        "ORDER BY ALL"
    ).fetchall()
    for schema, table in tables:
        name = f'"{schema}"."{table}"'
        try:
            con.execute(f"DELETE FROM {ALIAS}.{name}")
            con.execute(f"INSERT INTO {ALIAS}.{name} BY NAME SELECT * FROM source.{name}")
        except duckdb.CatalogException:
            raise PipelineError(f"The lake has no table {schema}.{table}, which the file has: update both.") from None
