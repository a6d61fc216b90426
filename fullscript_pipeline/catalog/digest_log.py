"""Records which digests were written, which day each was compared with, which are held, and which were released.

A held digest is never a baseline: the next digest is compared with the last good day, so a repaired fault does not show
in it. What does not belong here: when a digest is held (digest.py), pages (the reports room).
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline.catalog import observed_days
from fullscript_pipeline.errors import UsageError


def baseline_day(con: duckdb.DuckDBPyConnection, region: str, day: date, time_zone: ZoneInfo) -> date | None:
    """The day that the digest of `day` is compared with.

    It is the day of the last earlier digest that was not held (or was released), else the last day observed before.
    None: `day` is the first observation.
    """
    sql = """SELECT max(day) FROM marts.catalog_digests
        WHERE region = ? AND day < ? AND (held IS NULL OR released_at IS NOT NULL)"""
    (last,) = con.execute(sql, [region, day]).fetchone() or (None,)
    before = last or observed_days.last_observed(con, region, day - timedelta(days=1), time_zone)
    return before if isinstance(before, date) else None


def record_digest(con: duckdb.DuckDBPyConnection, region: str, day: date, from_day: date, held: str | None) -> None:
    """Records the digest written for `day`. A release of that digest stays."""
    con.execute(
        "UPDATE marts.catalog_digests SET from_day = ?, held = ? WHERE region = ? AND day = ?",
        [from_day, held, region, day],
    )
    con.execute(
        "INSERT INTO marts.catalog_digests SELECT ?, ?, ?, ?, NULL "
        "WHERE NOT EXISTS (SELECT 1 FROM marts.catalog_digests WHERE region = ? AND day = ?)",
        [region, day, from_day, held, region, day],
    )


def is_released(con: duckdb.DuckDBPyConnection, region: str, day: date) -> bool:
    """Whether a person has released the digest of `day`."""
    sql = "SELECT 1 FROM marts.catalog_digests WHERE region = ? AND day = ? AND released_at IS NOT NULL"
    return con.execute(sql, [region, day]).fetchone() is not None


def release_held_digest(con: duckdb.DuckDBPyConnection, region: str, day: date, at: datetime) -> None:
    """Release the held digest of `day`. Its changes are listed once the digest is written again.

    Raises UsageError if no digest of that day is held.
    """
    sql = "SELECT day FROM marts.catalog_digests WHERE region = ? AND held IS NOT NULL AND released_at IS NULL"
    held = [held_day for (held_day,) in con.execute(f"{sql} ORDER BY day", [region]).fetchall()]
    if day not in held:
        which = "none is held, so there is nothing to release."
        if held:
            days = ", ".join(map(str, held))
            which = (
                f"held days: {days}. This works: `fullscript-pipeline catalog release {held[-1]} --region {region}`."
            )
        raise UsageError(f"The catalog digest of {region}, {day}, is not held; {which}")
    con.execute("UPDATE marts.catalog_digests SET released_at = ? WHERE region = ? AND day = ?", [at, region, day])
