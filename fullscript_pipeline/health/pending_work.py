"""What in the warehouse waits for a person: quarantined records, drift, held removals and held digests.

What does not belong here: opening the warehouse (`warehouse`), releasing anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from fullscript_pipeline.health.finding import Finding, passed, warned


@dataclass(frozen=True, kw_only=True)
class _PendingKind:
    """`sql` returns a line of text per group; `table` may be missing in an older file."""

    check: str
    table: str
    sql: str
    what: str
    fix: str


_MAX_LISTED = 10
_KINDS = (
    _PendingKind(
        check="warehouse.quarantine",
        table="ops.quarantine",
        sql="""SELECT table_name || ' ' || count(*) FROM ops.quarantine WHERE resolved_at IS NULL
        GROUP BY table_name ORDER BY table_name""",
        what="records that could not be loaded, by table",
        fix="`fullscript-pipeline quarantine list` shows why: correct them in Fullscript, or update and `quarantine "
        "replay`.",
    ),
    _PendingKind(
        check="warehouse.drift",
        table="ops.drift",
        # Not those that a newer program understands: they are seen no more. What is not pulled is not seen either, so
        # the days are counted from the last pull of the same clinic or region.
        sql="""SELECT object || ' ' || count(*) FROM ops.drift d
        WHERE coalesce(last_seen_at, seen_at) > coalesce((SELECT max(observed_at) FROM ops.pulls p
            WHERE p.clinic_id IS NOT DISTINCT FROM d.clinic_id AND p.region IS NOT DISTINCT FROM d.region)
            - INTERVAL 7 DAY, TIMESTAMPTZ '-infinity')
        GROUP BY object ORDER BY count(*) DESC, object""",
        what="answers of the last seven days of pulls that differ from the API's description, by object",
        fix="Nothing is lost: fields without a column are in `extra`. Read ops.drift, and update the program.",
    ),
    _PendingKind(
        check="warehouse.held",
        table="ops.held_removals",
        sql="""SELECT table_name || ' ' || count(*) || ' since ' || min(missing_since)::DATE FROM ops.held_removals
        GROUP BY table_name ORDER BY table_name""",
        what="rows that are missing from a list, too many at once to be marked removed without confirmation, by table",
        fix="Check whether they are deleted in Fullscript. If so, a pull on a later day marks them removed; if not, "
        "`connect` as a user who sees everything (the clinic's owner), and pull again.",
    ),
    _PendingKind(
        check="warehouse.digests",
        table="marts.catalog_digests",
        sql="""SELECT region || ' ' || day FROM marts.catalog_digests
        QUALIFY row_number() OVER (PARTITION BY region ORDER BY day DESC) = 1 AND held IS NOT NULL
            AND released_at IS NULL ORDER BY region""",
        what="catalog digests that are held, because too much changed at once",
        fix="`fullscript-pipeline catalog diff` shows the changes; if they are right, `catalog release DAY "
        "--region R`, then pull.",
    ),
)


def check_pending_work(con: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """A finding for each kind whose table exists in this warehouse."""
    tables = {row[0] for row in con.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall()}
    for kind in _KINDS:
        if kind.table in tables:
            rows = [str(row[0]) for row in con.execute(kind.sql).fetchall()]
            more = f" and {len(rows) - _MAX_LISTED} more" if len(rows) > _MAX_LISTED else ""
            what = f"{kind.what}: {', '.join(rows[:_MAX_LISTED])}{more}"
            yield warned(kind.check, what, kind.fix) if rows else passed(kind.check, "none")
