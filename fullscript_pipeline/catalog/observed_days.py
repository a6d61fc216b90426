"""Which days of a region's catalog were observed, and the instants that bound a day.

A day is a calendar day of the configured time zone. What does not belong here: comparing observations.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline.catalog.entities import ENTITIES
from fullscript_pipeline.errors import UsageError

_PULLED = """SELECT DISTINCT timezone($zone, observed_at)::DATE FROM ops.pulls
    WHERE region = $region AND outcome = 'loaded' AND observed_at IS NOT NULL
    AND resource IN ('products', 'products_by_id', 'categories', 'brands')"""


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The last instant of `day`: a microsecond before the next day begins in `zone`. UTC."""
    following = day + timedelta(days=1)
    begins = datetime(following.year, following.month, following.day, tzinfo=zone)
    return begins.astimezone(UTC) - timedelta(microseconds=1)


def observed_days(con: duckdb.DuckDBPyConnection, region: str, time_zone: ZoneInfo) -> list[date]:
    """Days on which the region's catalog was pulled, or (without a record of pulls) on which it changed; ascending.

    A pull counts on the day it was made: a pull after midnight for the day before shows the new day.
    """
    pulled = {day for (day,) in con.execute(_PULLED, {"zone": time_zone.key, "region": region}).fetchall()}
    return sorted(pulled) or version_days(con, region, time_zone)


def version_days(con: duckdb.DuckDBPyConnection, region: str, time_zone: ZoneInfo) -> list[date]:
    """Days on which a version of any catalog object was first seen; ascending."""
    union = " UNION ".join(
        f"SELECT DISTINCT timezone($zone, {entity.known_at})::DATE AS day FROM {entity.table} WHERE region = $region"
        for entity in ENTITIES.values()
    )
    return [day for (day,) in con.execute(f"{union} ORDER BY 1", {"zone": time_zone.key, "region": region}).fetchall()]


def last_observed(con: duckdb.DuckDBPyConnection, region: str, day: date, time_zone: ZoneInfo) -> date | None:
    """The last observed day on or before `day`, whose observation is used for it; None before the first one."""
    return max(
        (observed_day for observed_day in observed_days(con, region, time_zone) if observed_day <= day), default=None
    )


def require_observed(
    con: duckdb.DuckDBPyConnection, region: str, from_day: date, to_day: date, time_zone: ZoneInfo
) -> None:
    """Raises UsageError, which names the nearest usable days, if the two days cannot be compared."""
    if from_day > to_day:
        raise UsageError(
            f"FROM {from_day} is after TO {to_day}; give the earlier day first: "
            f"`fullscript-pipeline catalog diff {to_day} {from_day}`."
        )
    observed = observed_days(con, region, time_zone)
    if not observed:
        raise UsageError(f"Region {region!r} has no catalog yet; pull it first (`fullscript-pipeline pull`).")
    if from_day < observed[0]:
        raise UsageError(
            f"The catalog of region {region} was not observed on or before {from_day}; "
            f"its first day is {observed[0]}, its last {observed[-1]}. Everything since the first day: "
            "`fullscript-pipeline catalog diff --since-first`."
        )


def explain_substitute_day(observed: Sequence[date], day: date) -> str | None:
    """A sentence that names the day used instead of `day`, and the next observed one; None if `day` was pulled."""
    if day in observed:
        return None
    before = max((observed_day for observed_day in observed if observed_day < day), default=None)
    after = min((observed_day for observed_day in observed if observed_day > day), default=None)
    near = [f"the observation of {before} is used instead"] if before else []
    near += [f"the next one is of {after}"] if after else []
    return f"{day} was not pulled: {'; '.join(near) or 'there is no observation'}."
