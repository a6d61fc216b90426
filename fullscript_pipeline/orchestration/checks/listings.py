"""Checks of what the last pulls listed: as many rows as the server counts, and no mass disappearance.

They read `ops.pulls` and `ops.views` only, so the hourly job runs them with the other health checks. What does not
belong here: reading lists (`extraction`), the mass-deletion guard (`warehouse.loading`).
"""

from typing import NamedTuple

import dagster as dg
import duckdb

from fullscript_pipeline.orchestration.runtime import WarehouseResource
from fullscript_pipeline.warehouse.loading import narrowings

_PULLS = dg.AssetKey(["ops", "pulls"])
# The last loaded pull of each resource of each clinic or region.
_LAST = """SELECT coalesce(clinic_id, region) AS owner, resource, reason, held FROM ops.pulls
    WHERE outcome = 'loaded' QUALIFY row_number() OVER (
        PARTITION BY clinic_id, region, resource ORDER BY observed_at DESC, finished_at DESC) = 1
    ORDER BY owner, resource"""


@dg.asset_check(
    asset=_PULLS,
    name="totals_match",
    description=(
        "Every list had as many rows as the server counts, each with its own id. From a list that did not, the rows "
        "are loaded, but no row is marked removed. What to do: nothing if it is another list each day (rows move "
        "while they are read); if it is always the same list, report its endpoint to the vendor."
    ),
)
def totals_match(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with warehouse.open().read() as con:
        mismatches = [
            listing.sentence for listing in _last_listings(con) if (listing.reason or "").startswith("listed ")
        ]
    return dg.AssetCheckResult(
        passed=not mismatches,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"lists": len(mismatches)},
        description=" ".join(mismatches) or "All lists match the server's counts.",
    )


@dg.asset_check(
    asset=_PULLS,
    name="no_mass_disappearance",
    description=(
        "No list lacks more than a fifth of the rows that it had before. Where one does, none of them is marked "
        "removed. What to do: check whether they are deleted in Fullscript. If so, wait: a listing of a later day "
        "that lacks them too marks them removed. If not, connect as a user who sees everything (the clinic's owner), "
        "then pull again."
    ),
)
def no_mass_disappearance(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with warehouse.open().read() as con:
        rows = [listing.sentence for listing in _last_listings(con) if listing.held]
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"lists": len(rows)},
        description=" ".join(rows) or "No list lacks so many rows.",
    )


@dg.asset_check(
    asset=_PULLS,
    name="lists_read_in_full",
    description=(
        "No list is read by a user, or with scopes, that see less than was seen before. Where one is, rows that only "
        "the earlier user saw stay unchanged. What to do: connect as the user and with the scopes that `doctor` "
        "names, then pull. If the present user sees all data: `fullscript-pipeline clinics accept-view CLINIC`."
    ),
)
def lists_read_in_full(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with warehouse.open().read() as con:
        owners = con.execute("SELECT DISTINCT coalesce(clinic_id, region) FROM ops.views ORDER BY 1").fetchall()
        rows = [f"{owner}, {narrowing.sentence}." for (owner,) in owners for narrowing in narrowings(con, owner)]
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"lists": len(rows)},
        description=" ".join(rows) or "Every list is read in full.",
    )


class _Listing(NamedTuple):
    owner: str
    resource: str
    reason: str | None
    held: int | None

    @property
    def sentence(self) -> str:
        return f"{self.owner}, {self.resource}: {self.reason}."


def _last_listings(con: duckdb.DuckDBPyConnection) -> list[_Listing]:
    return [_Listing(*row) for row in con.execute(_LAST).fetchall()]


LISTING_CHECKS = (totals_match, no_mass_disappearance, lists_read_in_full)
