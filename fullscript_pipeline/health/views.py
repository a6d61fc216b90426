"""Checks whether each clinic is still read by a user who sees everything that was seen before.

What does not belong here: what a view proves (`warehouse.loading`), opening the warehouse (`warehouse`).
"""

from collections.abc import Iterator, Sequence

import duckdb

from fullscript_pipeline.health.finding import Finding, passed, warned
from fullscript_pipeline.state import Clinic
from fullscript_pipeline.warehouse.loading import narrowings


def check_views(con: duckdb.DuckDBPyConnection, clinics: Sequence[Clinic]) -> Iterator[Finding]:
    """A finding for each clinic and region; none for a file from before views were recorded."""
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
        return passed(check, "the connected user sees everything that was seen before")
    lacking = sorted({scope for narrowing in narrowed for scope in narrowing.lacks})
    scopes = f"with {', '.join(lacking)}" if lacking else "with the same permissions"
    who = (
        "the earlier user (the clinic's owner)"
        if any(narrowing.is_different_user for narrowing in narrowed)
        else "the same user"
    )
    return warned(
        check,
        "; ".join(narrowing.sentence for narrowing in narrowed),
        f"Run `fullscript-pipeline connect {servers}` as {who} {scopes}, then pull. If the present user sees all data "
        f"of the clinic, run `fullscript-pipeline clinics accept-view {clinic}`.",
    )
