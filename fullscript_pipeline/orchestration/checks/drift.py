"""The check for drift: whether the shape of the vendor's answers changed in the last days.

What does not belong here: finding the differences (`api`), storing them (`warehouse.loading.drift`).
"""

from datetime import timedelta

import dagster as dg

from fullscript_pipeline.orchestration.runtime import WarehouseResource
from fullscript_pipeline.warehouse.loading import drift

# A difference warns for a week after it was first seen; afterwards it is only listed in ops.drift.
NEW_FOR = timedelta(days=7)
_MAX_LISTED = 10


@dg.asset_check(
    asset=dg.AssetKey(["ops", "drift"]),
    name="no_new_drift",
    description=(
        "In the last seven days no answer had a new key, word or type. What to do: nothing is lost, because fields "
        "without a column are in `extra`; read ops.drift and docs/fullscript-api, and update the program."
    ),
)
def no_new_drift(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with warehouse.open().read() as con:
        new, known = drift.new_since(con, NEW_FOR), len(drift.listed(con))
    summary = drift.summary(new[:_MAX_LISTED])
    more = f", and {len(new) - _MAX_LISTED} more" if len(new) > _MAX_LISTED else ""
    return dg.AssetCheckResult(
        passed=not new,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"new": len(new), "known": known},
        description=f"{summary}{more}." if new else "No answer changed its shape.",
    )


DRIFT_CHECKS = (no_new_drift,)
