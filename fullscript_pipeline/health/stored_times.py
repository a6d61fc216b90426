"""Whether anything is stored under a time to come: a run under a wrong clock, after which no other can load.

What does not belong here: the clock itself (`servers`), moving anything (`clock repair`).
"""

from datetime import timedelta
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.health.finding import Finding, failed, passed
from fullscript_pipeline.plural import counted
from fullscript_pipeline.warehouse import count_future

# A clock that is set by the network may be set back by a little.
_TOLERANCE = timedelta(minutes=10)


def check_stored_times(con: duckdb.DuckDBPyConnection, time_zone: ZoneInfo) -> Finding:
    latest = clock.now() + _TOLERANCE
    ahead = count_future(con, latest, clock.day_of(latest, time_zone))
    if not ahead:
        return passed("warehouse.times", "nothing is stored under a time to come")
    rows = ", ".join(f"{table} {number}" for table, number in ahead.items())
    what = f"{counted(sum(ahead.values()), 'row')} stored under a time to come ({rows}), so every pull is refused"
    return failed(
        "warehouse.times",
        what,
        "Set this machine's clock by the network (NTP), or unset FULLSCRIPT_NOW; then `fullscript-pipeline clock "
        "repair` moves them back to now.",
    )
