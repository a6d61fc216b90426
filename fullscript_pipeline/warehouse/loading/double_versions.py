"""Repairs children with overlapping versions, which older programs stored under each parent that listed the child.

What these parents list is not lost: it goes into `ops.shared_children`. What does not belong here: preventing new
overlaps (`shared_children`).
"""

import duckdb

from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.loading import shared_children
from fullscript_pipeline.warehouse.loading.shared_children import ParentLink


def repair_versions(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Repairs the keys of `table` and its children that have more than one open version."""
    for versioned in (table, *(child.table for child in table.children)):
        if versioned.name in shared_children.PARENT_LINKS:
            keys = ", ".join(versioned.key_columns)
            con.execute(
                f"CREATE OR REPLACE TEMP TABLE double AS SELECT {keys} FROM {versioned.stored_in} "
                "WHERE valid_to IS NULL GROUP BY ALL HAVING count(*) > 1"
            )
            if con.execute("SELECT 1 FROM double LIMIT 1").fetchone():
                _repair(con, shared_children.PARENT_LINKS[versioned.name])


def repair_all_versions(con: duckdb.DuckDBPyConnection) -> None:
    """Repairs every key, for the upgrade of a file: also past overlaps, and parents that had a child before."""
    for link in shared_children.PARENT_LINKS.values():
        keys = ", ".join(link.table.key_columns)
        con.execute(f"CREATE OR REPLACE TEMP TABLE double AS SELECT DISTINCT {keys} FROM {link.table.stored_in}")
        _repair(con, link)
    con.execute("DROP TABLE double")
    con.execute("DROP TABLE in_order")


def _repair(con: duckdb.DuckDBPyConnection, link: ParentLink) -> None:
    """Keeps the newest open version that is not removed, and ends the others where it begins."""
    table, keys = link.table, ", ".join(link.table.key_columns)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE in_order AS
        SELECT *, min(valid_from) OVER (
            PARTITION BY {keys} ORDER BY nth ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ends
        FROM (SELECT s.rowid AS place, {keys}, s.{link.column}, valid_from, valid_to, row_number() OVER (
                PARTITION BY {keys} ORDER BY valid_to IS NOT NULL, valid_to IS NULL AND removed_at IS NOT NULL,
                valid_from DESC, known_at DESC, s.{link.column}) AS nth
            FROM {table.stored_in} s SEMI JOIN double USING ({keys}))"""
    )
    _record_parents(con, link)
    overlapping = f"({keys}) IN (SELECT ({keys}) FROM in_order WHERE ends < coalesce(valid_to, 'infinity'))"
    con.execute(
        f"DELETE FROM {table.stored_in} WHERE rowid IN (SELECT place FROM in_order WHERE {overlapping} "
        "AND ends <= valid_from)"
    )
    con.execute(
        f"UPDATE {table.stored_in} AS s SET valid_to = i.ends FROM in_order i WHERE s.rowid = i.place "
        f"AND i.ends IS NOT NULL AND ({', '.join(f'i.{key}' for key in table.key_columns)}) IN ("
        f"SELECT ({keys}) FROM in_order WHERE ends < coalesce(valid_to, 'infinity'))"
    )


def _record_parents(con: duckdb.DuckDBPyConnection, link: ParentLink) -> None:
    """Records for each parent the children that it listed when its latest version was loaded."""
    table, key = link.table, link.table.key[-1]
    keys, scope = ", ".join(table.key_columns), table.scope_column
    con.execute(
        f"""INSERT INTO ops.shared_children BY NAME
        SELECT v.{scope}, '{table.name}' AS table_name, v.{link.column} AS parent_id, v.{key} AS child_id,
            arg_max(v.content_hash, v.known_at) AS content_hash,
            arg_max({shared_children.as_record(table, "v.")}, v.known_at) AS record, max(v.known_at) AS observed_at
        FROM (SELECT *, lead(known_at) OVER (PARTITION BY {keys} ORDER BY known_at, valid_from) AS known_until
            FROM {table.stored_in} SEMI JOIN double USING ({keys})) v
        JOIN {link.parents.stored_in} p ON p.{scope} = v.{scope} AND p.{link.parents.key[-1]} = v.{link.column}
            AND p.valid_to IS NULL AND p.removed_at IS NULL
        JOIN in_order kept ON kept.nth = 1 AND kept.{scope} = v.{scope} AND kept.{key} = v.{key}
            AND kept.{link.column} IS DISTINCT FROM v.{link.column}
        WHERE v.removed_at IS NULL AND (v.valid_to IS NULL OR v.known_at = p.known_at
            OR v.known_at < p.known_at AND v.known_until > p.known_at)
        AND NOT EXISTS (SELECT 1 FROM ops.shared_children o WHERE o.table_name = '{table.name}'
            AND o.{scope} = v.{scope} AND o.child_id = v.{key} AND o.parent_id = v.{link.column})
        GROUP BY v.{scope}, v.{link.column}, v.{key}"""
    )
