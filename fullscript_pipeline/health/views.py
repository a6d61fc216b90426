"""Is each clinic still read by somebody who sees what was seen before?

What does not belong here: what a view may prove (`warehouse.views`), opening the warehouse (`warehouse`).
"""

from collections.abc import Iterator, Sequence

import duckdb

from fullscript_pipeline.health.finding import Finding, passed, warned
from fullscript_pipeline.state import Clinic
from fullscript_pipeline.warehouse.loading import narrowings


def check_views(con: duckdb.DuckDBPyConnection, clinics: Sequence[Clinic]) -> Iterator[Finding]:
    """A finding for each clinic, and one for each of their regions; none for a file of before views were noted."""
    if not con.execute("SELECT 1 FROM duckdb_tables() WHERE schema_name = 'ops' AND table_name = 'views'").fetchone():
        return
    for clinic in clinics:
        yield _check_view(con, f"clinic.{clinic.clinic_key}.view", clinic.clinic_id, clinic.server, clinic.clinic_key)
    for region in sorted({clinic.region for clinic in clinics}):
        servers = " or ".join(sorted({clinic.server for clinic in clinics if clinic.region == region}))
        yield _check_view(con, f"catalog.{region}.view", region, servers, "CLINIC")


def _check_view(con: duckdb.DuckDBPyConnection, check: str, owner: str, servers: str, clinic: str) -> Finding:
    narrowed = narrowings(con, owner)
    if not narrowed:
        return passed(check, "read by nobody who sees less than was seen before")
    lacking = sorted({scope for narrowing in narrowed for scope in narrowing.lacks})
    scopes = f"with {', '.join(lacking)}" if lacking else "with the same permissions"
    who = (
        "the user of before (the clinic's owner)"
        if any(narrowing.is_different_user for narrowing in narrowed)
        else "the same user"
    )
    return warned(
        check,
        "; ".join(narrowing.sentence for narrowing in narrowed),
        f"Run `fullscript-pipeline connect {servers}` as {who} {scopes}, then pull; or, if what is seen now is all "
        f"there is to see, `fullscript-pipeline clinics accept-view {clinic}`.",
    )
