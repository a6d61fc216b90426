"""The statements that make a table from its description. What does not belong here: running them (`upgrades`)."""

from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.schema.as_of_views import as_of_macro_sql, latest_view_sql


def table_ddl(table: Table) -> list[str]:
    """The statements that make one table and, where it has history, its view of the latest versions."""
    columns = [f"{name} VARCHAR" for name in table.key_columns]
    if table.by_position:
        columns[-1] = f"{table.key[-1]} BIGINT"
    columns += [
        f"{column.name} {column.kind.value}" for column in table.columns if column.name not in table.key_columns
    ]
    columns += ["extra JSON", "content_hash VARCHAR", "observed_at TIMESTAMPTZ", "removed_at TIMESTAMPTZ"]
    if not table.history:
        return [f"CREATE TABLE IF NOT EXISTS {table.stored_in} ({', '.join(columns)})"]
    columns += ["valid_from TIMESTAMPTZ", "valid_to TIMESTAMPTZ", "known_at TIMESTAMPTZ"]
    return [
        f"CREATE TABLE IF NOT EXISTS {table.stored_in} ({', '.join(columns)})",
        latest_view_sql(table),
        as_of_macro_sql(table),
    ]
