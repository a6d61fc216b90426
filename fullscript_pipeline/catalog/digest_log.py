"""Which digests were written, against which day, which are held, and how one is let through.

A held digest is no reference: the next one goes back to the last good day, so a fault that was repaired leaves no
trace in it. What does not belong here: when to hold (digest.py), pages (the reports room).
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline.catalog import observed_days
from fullscript_pipeline.errors import UsageError


def day_to_compare(con: duckdb.DuckDBPyConnection, region: str, day: date, time_zone: ZoneInfo) -> date | None:
    """The day of the last digest before `day` that was not held (or was released); without one the last observed day.

    None: `day` is the first observation.
    """
    sql = """SELECT max(day) FROM marts.catalog_digests
        WHERE region = ? AND day < ? AND (held IS NULL OR released_at IS NOT NULL)"""
    (last,) = con.execute(sql, [region, day]).fetchone() or (None,)
    before = last or observed_days.last_observed(con, region, day - timedelta(days=1), time_zone)
    return before if isinstance(before, date) else None


def note_digest(con: duckdb.DuckDBPyConnection, region: str, day: date, from_day: date, held: str | None) -> None:
    """Remember what was written for `day`; a release that was given stays."""
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
    """Whether a person has let the digest of `day` through."""
    sql = "SELECT 1 FROM marts.catalog_digests WHERE region = ? AND day = ? AND released_at IS NOT NULL"
    return con.execute(sql, [region, day]).fetchone() is not None


def release(con: duckdb.DuckDBPyConnection, region: str, day: date, at: datetime) -> None:
    """Let the held digest of `day` through; it is listed when it is written again.

    Raises UsageError when no digest of that day is held.
    """
    sql = "SELECT day FROM marts.catalog_digests WHERE region = ? AND held IS NOT NULL AND released_at IS NULL"
    held = [one for (one,) in con.execute(f"{sql} ORDER BY day", [region]).fetchall()]
    if day not in held:
        which = f"held are: {', '.join(map(str, held))}." if held else "none is held."
        raise UsageError(f"The catalog digest of {region}, {day}, is not held; {which}")
    con.execute("UPDATE marts.catalog_digests SET released_at = ? WHERE region = ? AND day = ?", [at, region, day])
