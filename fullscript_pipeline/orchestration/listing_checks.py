"""Checks of what the last pulls listed: as many rows as the server counts, and no mass disappearance.

They read `ops.pulls` only, so the hourly job makes them beside the other checks of the installation. What does not
belong here: what a listing is (`extraction.listing`), the brake itself (`warehouse.brake`).
"""

import dagster as dg
import duckdb

from fullscript_pipeline.orchestration.resources import WarehouseResource

_PULLS = dg.AssetKey(["ops", "pulls"])
# The last loaded pull of each resource of each clinic or region.
_LAST = """SELECT coalesce(clinic_id, region) AS owner, resource, reason, held FROM ops.pulls
    WHERE outcome = 'loaded' QUALIFY row_number() OVER (
        PARTITION BY clinic_id, region, resource ORDER BY observed_at DESC, finished_at DESC) = 1"""


@dg.asset_check(
    asset=_PULLS,
    name="totals_match",
    description=(
        "Every list came to as many rows as the server counts, each with its id; of one that did not, what came is "
        "loaded and nothing is taken for gone. What to do: nothing if it is another list each day (rows move while "
        "they are read); if one stays, quote its endpoint to the vendor."
    ),
)
def totals_match(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with warehouse.open().read() as con:
        rows = _told(con, "reason LIKE 'listed %'")
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"lists": len(rows)},
        description=" ".join(rows) or "All of them.",
    )


@dg.asset_check(
    asset=_PULLS,
    name="no_mass_disappearance",
    description=(
        "No list lacks more than a fifth of the rows that were there. Where one does, none of them is marked removed. "
        "What to do: look whether they are gone in Fullscript. If so, wait: a later day's listing that lacks them "
        "again marks them. If not, connect as a user who sees everything (the clinic's owner), then pull again."
    ),
)
def no_mass_disappearance(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with warehouse.open().read() as con:
        rows = _told(con, "held > 0")
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"lists": len(rows)},
        description=" ".join(rows) or "No list does.",
    )


def _told(con: duckdb.DuckDBPyConnection, where: str) -> list[str]:
    rows = con.execute(f"SELECT owner, resource, reason FROM ({_LAST}) WHERE {where} ORDER BY ALL").fetchall()
    return [f"{owner}, {resource}: {reason}." for owner, resource, reason in rows]


LISTING_CHECKS = (totals_match, no_mass_disappearance)
