"""Exports tables as files: Parquet for programs, CSV for people. The files are not encrypted; mode 0600.

A CSV cell that could start a formula gets an apostrophe. What does not belong here: the copy of the
whole warehouse (`publish.py`), the sheets that go with the pages (`reports`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from fullscript_pipeline.errors import ConfigurationError, UsageError
from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.spreadsheet_text import FORMULA_PATTERN
from fullscript_pipeline.warehouse.connection import Warehouse

Format = Literal["parquet", "csv"]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An exported file."""

    table: str
    path: Path
    rows: int


def export(warehouse: Warehouse, folder: Path, file_format: Format, tables: Sequence[str] = ()) -> list[Exported]:
    """Writes each table to `<folder>/<schema>.<table>.<format>` (0600, folder 0700), replacing what is there.

    `tables`: `schema.table`, or a table name of `core`; empty: all of core and marts. Raises UsageError for an unknown
    one, ConfigurationError when the folder cannot be written.
    """
    try:
        make_private_folder(folder)
        with warehouse.read() as con:
            known = _known(con)
            return [
                _written(con, folder, file_format, table=table, columns=known[table])
                for table in _chosen(tables, known)
            ]
    except (OSError, duckdb.IOException) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else str(problem).splitlines()[0]
        raise ConfigurationError(
            f"The folder {folder} cannot be written ({reason}): free space or choose another with --to."
        ) from None


def _known(con: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[str, str]]]:
    """The columns and types of every table and view."""
    rows = con.execute(
        """SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns()
        WHERE database_name = current_database() AND NOT internal ORDER BY 1, column_index"""
    ).fetchall()
    known: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        known.setdefault(table, []).append((column, kind))
    return known


def _chosen(tables: Sequence[str], known: dict[str, list[tuple[str, str]]]) -> list[str]:
    if not tables:
        return [table for table in known if table.startswith(("core.", "marts."))]
    qualified = [table if "." in table else f"core.{table}" for table in tables]
    if unknown := [table for table in qualified if table not in known]:
        raise UsageError(f"There is no table {', '.join(unknown)}; there are {', '.join(known)}.")
    return list(dict.fromkeys(qualified))


def _written(
    con: duckdb.DuckDBPyConnection, folder: Path, file_format: Format, table: str, columns: list[tuple[str, str]]
) -> Exported:
    path, temporary = folder / f"{table}.{file_format}", folder / f".{table}.{file_format}.writing"
    temporary.unlink(missing_ok=True)
    if file_format == "csv":
        query, options = ", ".join(_cell(*column) for column in columns), "FORMAT csv, HEADER true"
    else:
        query, options = "*", "FORMAT parquet, COMPRESSION zstd"
    written = str(temporary).replace("'", "''")
    copied = con.execute(f"COPY (SELECT {query} FROM {table}) TO '{written}' ({options})").fetchone()
    temporary.replace(path)
    return Exported(table=table, path=path, rows=int(copied[0]) if copied else 0)


def _cell(column: str, kind: str) -> str:
    """The column as a spreadsheet shows it without executing it; lists and records as JSON text."""
    if kind in {"VARCHAR", "JSON"}:
        text = f'"{column}"::VARCHAR'
    elif kind.endswith("[]"):
        text = f'to_json("{column}")::VARCHAR'
    else:
        return f'"{column}"'
    return (
        f"""CASE WHEN regexp_matches({text}, '{FORMULA_PATTERN}') THEN '''' || {text} ELSE {text} END AS "{column}\""""
    )
