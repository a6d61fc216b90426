"""All asset checks, and the check that every clinic is current. The description of a failed check says what to do.

What does not belong here: conditions under which a step itself fails.
"""

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.assets import CURRENT_WITHIN
from fullscript_pipeline.orchestration.checks.drift import DRIFT_CHECKS
from fullscript_pipeline.orchestration.checks.events import EVENT_CHECKS
from fullscript_pipeline.orchestration.checks.health import HEALTH_CHECKS
from fullscript_pipeline.orchestration.checks.listings import LISTING_CHECKS
from fullscript_pipeline.orchestration.checks.tables import TABLE_CHECKS
from fullscript_pipeline.orchestration.runtime import StateResource, WarehouseResource
from fullscript_pipeline.warehouse.loading import pull_log


@dg.asset_check(
    # Of no one cell: the hourly look makes it, not every clinic's day.
    asset=dg.AssetKey(["state", "clinics"]),
    name="every_clinic_is_current",
    description=(
        "Every connected clinic has a working grant, may read its patients, plans and orders, and was pulled within "
        "30 hours. Its region's catalog was pulled within 30 hours too. What to do: run `fullscript-pipeline "
        "connect` for a clinic that needs it; read the failed run of a late clinic or catalog (`doctor` shows more)."
    ),
)
def every_clinic_is_current(state: StateResource, warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with state.open() as store:
        clinics = store.clinics.all()
    needs_connect = [clinic.clinic_key for clinic in clinics if clinic.status == "needs_connect"]
    late = []
    with warehouse.open().read() as con:
        for clinic in clinics:
            last = pull_log.last_full_loads(con).get(clinic.clinic_id) or clinic.connected_at
            if last is not None and clock.now() - last > CURRENT_WITHIN:
                late.append(clinic.clinic_key)
        refused = {
            clinic.clinic_key: ", ".join(tables)
            for clinic in clinics
            if (tables := pull_log.refused_tables(con, clinic.clinic_id))
        }
        for region in sorted({clinic.region for clinic in clinics}):
            last = pull_log.last_products_read(con, region, refusals=True)
            if last is not None and clock.now() - last > CURRENT_WITHIN:
                late.append(f"catalog {region}")
    problems = [f"{key} needs a connect" for key in needs_connect] + [f"{owner} is late" for owner in late]
    problems += [f"{key} may not read {what}" for key, what in refused.items()]
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"clinics": len(clinics), "needs_connect": ", ".join(needs_connect), "late": ", ".join(late)},
        description=f"{'; '.join(problems)}." if problems else "Every clinic is current.",
    )


ALL_CHECKS = (every_clinic_is_current, *TABLE_CHECKS, *LISTING_CHECKS, *HEALTH_CHECKS, *EVENT_CHECKS, *DRIFT_CHECKS)
