"""`ops.pulls`: what each run requested, received and wrote, and queries for the last observation.

What does not belong here: the pull itself (`extraction`).
"""

from dataclasses import asdict, dataclass
from datetime import date, datetime

import duckdb

from fullscript_pipeline.warehouse.loading.load_context import Context, Counts, View


@dataclass(frozen=True, kw_only=True)
class PullRow:
    """A row of `ops.pulls`, one per run and resource. `outcome`: loaded or not_available.

    A failed pull commits nothing. `bill_requests`: the request estimate (None: none was made). `sweep_only_changes`:
    changed rows that only the rolling re-read found. `held`: missing rows that were not marked, because there were too
    many. `listed_by`, `scopes`: the user of the token, and its scopes ('': the server does not name them); None:
    several tokens. `unproven`: rows that a list lacked under a view that never saw them (`reader_views`). `left_out`:
    records of purged people. `read_at`: when the reading began, by the data's clock. `patch_version`: of the vendor's
    API (None: no answer named it).
    """

    resource: str
    day: date
    run_id: str
    started_at: datetime
    finished_at: datetime
    outcome: str
    reason: str | None = None
    requests: int = 0
    pages: int = 0
    retries: int = 0
    total_count: int | None = None
    complete: bool = False
    listed_by: str | None = None
    bill_requests: int | None = None
    sweep_only_changes: int | None = None
    held: int = 0
    scopes: str | None = None
    unproven: int = 0
    read_at: datetime | None = None
    patch_version: str | None = None
    left_out: int = 0


def record(con: duckdb.DuckDBPyConnection, context: Context, row: PullRow, counts: Counts) -> None:
    """Appends the row, in the transaction of the data that it describes."""
    values = asdict(row) | {
        "pull_id": context.pull_id,
        "server": context.server,
        "region": context.region,
        "clinic_id": context.clinic_id,
        "observed_at": context.observed_at,
        "rows_read": counts.read,
        "rows_added": counts.added,
        "rows_changed": counts.changed,
        "rows_removed": counts.removed,
        "quarantined": counts.quarantined,
    }
    names, marks = ", ".join(values), ", ".join("?" for _ in values)
    con.execute(f"INSERT INTO ops.pulls ({names}) VALUES ({marks})", list(values.values()))


def record_reread_changes(con: duckdb.DuckDBPyConnection, pull_id: str, changes: int) -> None:
    """Records how many of a pull's changes only re-reading found."""
    con.execute("UPDATE ops.pulls SET sweep_only_changes = ? WHERE pull_id = ?", [changes, pull_id])


def last_observation(con: duckdb.DuckDBPyConnection) -> datetime | None:
    """When anything was last observed, by the data's clock."""
    row = con.execute("SELECT max(observed_at) FROM ops.pulls WHERE outcome = 'loaded'").fetchone()
    return row[0] if row else None


def last_products_read(con: duckdb.DuckDBPyConnection, region: str, *, refusals: bool = False) -> datetime | None:
    """When all known products of a region were last read (None: never).

    `refusals`: also count reads that the server refused, because the app may not read products.
    """
    row = con.execute(
        "SELECT max(observed_at) FROM ops.pulls WHERE region = ? AND list_contains(?, outcome) "
        "AND resource IN ('products', 'products_by_id')",
        [region, ["loaded", "not_available"] if refusals else ["loaded"]],
    ).fetchone()
    return row[0] if row else None


def last_catalog_list(con: duckdb.DuckDBPyConnection, region: str) -> datetime | None:
    """When a region's catalog was last listed completely (None: never)."""
    row = con.execute(
        "SELECT max(observed_at) FROM ops.pulls WHERE region = ? AND resource = 'products' AND outcome = 'loaded' "
        "AND complete",
        [region],
    ).fetchone()
    return row[0] if row else None


def last_loaded(con: duckdb.DuckDBPyConnection, clinic_id: str, resource: str) -> datetime | None:
    """When this resource of this clinic was last loaded (None: never)."""
    row = con.execute(
        "SELECT max(observed_at) FROM ops.pulls WHERE clinic_id = ? AND resource = ? AND outcome = 'loaded'",
        [clinic_id, resource],
    ).fetchone()
    return row[0] if row else None


# The tables that a clinic's pages are made from.
_PAGE_TABLES = ("patients", "treatment_plans", "orders")
# Per clinic and resource: the last load, the last read (refusals included), and whether that was a refusal.
_LAST_OUTCOMES = f"""SELECT clinic_id, resource, max(observed_at) FILTER (outcome = 'loaded') AS loaded_at,
    max(observed_at) AS looked_at, arg_max(outcome, (observed_at, finished_at)) = 'not_available' AS is_refused
    FROM ops.pulls WHERE resource IN {_PAGE_TABLES} AND outcome IN ('loaded', 'not_available') GROUP BY ALL"""
_LAST_FULL_LOAD = f"""SELECT clinic_id, min(coalesce(loaded_at, looked_at)) FROM ({_LAST_OUTCOMES})
    GROUP BY clinic_id HAVING count(*) = {len(_PAGE_TABLES)}"""


def last_full_loads(con: duckdb.DuckDBPyConnection) -> dict[str, datetime]:
    """The oldest of the last loads of patients, plans and orders, by clinic.

    A clinic that lacks one of them is left out; a table that it may not read counts with the time of its refusal.
    """
    return dict(con.execute(_LAST_FULL_LOAD).fetchall())


def refused_tables(con: duckdb.DuckDBPyConnection, clinic_id: str) -> dict[str, datetime | None]:
    """Which of patients, treatment plans and orders the server refused at the last read, with the last load of each."""
    sql = f"SELECT resource, loaded_at FROM ({_LAST_OUTCOMES}) WHERE clinic_id = ? AND is_refused ORDER BY ALL"
    return dict(con.execute(sql, [clinic_id]).fetchall())


def last_complete(
    con: duckdb.DuckDBPyConnection, clinic_id: str, resource: str, view: View | None = None
) -> datetime | None:
    """When this resource was last listed completely, by a reader who sees all that `view` sees (None: never)."""
    rows = con.execute(
        "SELECT listed_by, scopes, max(observed_at) FROM ops.pulls WHERE clinic_id = ? AND resource = ? "
        "AND outcome = 'loaded' AND complete GROUP BY ALL",
        [clinic_id, resource],
    ).fetchall()
    return max((at for user, scopes, at in rows if _sees_all_of(view, clinic_id, user, scopes)), default=None)


def narrower_reads(con: duckdb.DuckDBPyConnection, clinic_id: str, resource: str, view: View) -> list[datetime]:
    """When (`read_at`) this resource was read by a reader who may not see all that `view` sees."""
    rows = con.execute(
        "SELECT listed_by, scopes, read_at FROM ops.pulls WHERE clinic_id = ? AND resource = ? "
        "AND outcome = 'loaded' AND scopes IS NOT NULL",
        [clinic_id, resource],
    ).fetchall()
    return [at for user, scopes, at in rows if not _sees_all_of(view, clinic_id, user, scopes)]


def _sees_all_of(view: View | None, clinic_id: str, user_id: str | None, scopes: str | None) -> bool:
    """Pulls from before 2026-11-28 have no scopes stored; they count."""
    return (
        view is None
        or scopes is None
        or View(clinic_id=clinic_id, user_id=user_id, scopes=frozenset(scopes.split())).includes(view)
    )
