"""A hash of what the warehouse says, whatever the order of its rows and whenever they were seen.

    before = table_hashes(warehouse)                      # {"core.orders": (rows, hash), ...}
    assert table_hashes(restored) == before
    assert differing(before, table_hashes(other)) == []   # names of tables, for a readable failure

Every table and view of `core` and `history`. Instants of our own (`observed_at`, `valid_from`, `valid_to`, ...) are
left out; of `removed_at` and `processed_at` only counts whether they are set. What does not belong here: assertions.
"""

from collections.abc import Collection, Mapping
from hashlib import blake2b

from fullscript_pipeline.warehouse.connection import Warehouse

SCHEMAS = ("core", "history")
# When we saw something, and what is made of it; two pulls of one truth differ here.
OUR_INSTANTS = frozenset(
    {"observed_at", "valid_from", "valid_to", "known_at", "checked_at", "pull_id", "first_seen_at", "last_seen_at"}
)
WHETHER = frozenset({"removed_at", "processed_at"})

Hashes = dict[str, tuple[int, int]]


def table_hashes(
    warehouse: Warehouse,
    *,
    schemas: Collection[str] = SCHEMAS,
    without: Collection[str] = (),
    without_columns: Collection[str] = (),
    spelling: str = "{row}",
) -> Hashes:
    """Table -> (rows, sum of the rows' hashes): independent of order, and a row twice is not a row once.

    `without`: tables ("core.events") that are not looked at; `without_columns`: further columns, in every table.
    `spelling`: SQL over `{row}`, a row's text, where two ways of writing one thing are to count as the same.
    """
    with warehouse.read() as con:
        columns = con.execute(
            "SELECT schema_name || '.' || table_name, column_name FROM duckdb_columns() "
            "WHERE database_name = current_catalog() AND schema_name IN ? ORDER BY 1, 2",
            [list(schemas)],
        ).fetchall()
        tables: dict[str, list[str]] = {}
        for table, column in columns:
            if table not in without and column not in OUR_INSTANTS and column not in without_columns:
                tables.setdefault(table, []).append(f"{column} IS NOT NULL" if column in WHETHER else f'"{column}"')
        hashes = {}
        for table, names in tables.items():
            row = spelling.format(row=f"row({', '.join(names)})::VARCHAR")
            found = con.execute(f"SELECT count(*), sum(md5_number_lower({row})::HUGEINT) FROM {table}").fetchone()
            assert found is not None
            hashes[table] = (int(found[0]), int(found[1] or 0))
        return hashes


def combined_hash(hashes: Mapping[str, tuple[int, int]]) -> str:
    """All tables in 16 hexadecimal digits, for the line that a reliability test prints."""
    return blake2b(repr(sorted(hashes.items())).encode(), digest_size=8).hexdigest()


def differing_tables(one: Mapping[str, tuple[int, int]], other: Mapping[str, tuple[int, int]]) -> list[str]:
    """The tables that do not say the same, with their numbers of rows."""
    return [
        f"{table}: {one.get(table, (0,))[0]} rows, {other.get(table, (0,))[0]} rows"
        for table in sorted({*one, *other})
        if one.get(table) != other.get(table)
    ]
