"""Checks for stored times in the future: a run under a wrong clock leaves them, and later runs cannot load.

What does not belong here: the clock itself (`servers`), moving times (`clock repair`).
"""

from datetime import timedelta
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.health.finding import Finding, failed, passed
from fullscript_pipeline.plural import counted
from fullscript_pipeline.warehouse import count_future

# A synchronised clock may be set back by a little.
_TOLERANCE = timedelta(minutes=10)


def check_stored_times(con: duckdb.DuckDBPyConnection, time_zone: ZoneInfo) -> Finding:
    latest = clock.now() + _TOLERANCE
    ahead = count_future(con, latest, clock.day_of(latest, time_zone))
    if not ahead:
        return passed("warehouse.times", "no stored time is in the future")
    rows = ", ".join(f"{table} {number}" for table, number in ahead.items())
    what = f"{counted(sum(ahead.values()), 'row')} with a time in the future ({rows}), so every pull is refused"
    return failed(
        "warehouse.times",
        what,
        "Synchronise this machine's clock (NTP), or unset FULLSCRIPT_NOW; then run `fullscript-pipeline clock repair`, "
        "which moves them back to now.",
    )
