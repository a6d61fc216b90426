"""When an asset is late: one limit for all of them, the same as that of the check `every_clinic_is_current`.

Dagster looks at the latest materialization of an asset, whichever clinic's it is; the check looks at every clinic, and
names the late ones. What does not belong here: the check (`checks.all_checks`).
"""

from datetime import timedelta

import dagster as dg

# A day, and the hours a late queue may take.
CURRENT_WITHIN = timedelta(hours=30)
# After a day and the grace of a closed partition, a warning comes before the failure.
_WARN_AFTER = timedelta(hours=26)
# Tables that every run writes to and that no asset makes: the first step of a clinic's day reports them.
WRITTEN_BY_EVERY_RUN = ("ops/pulls", "ops/quarantine", "ops/drift", "state/clinics", "state/requests")


def with_freshness(spec: dg.AssetSpec) -> dg.AssetSpec:
    """The same spec with the policy."""
    policy = dg.FreshnessPolicy.time_window(fail_window=CURRENT_WITHIN, warn_window=_WARN_AFTER)
    return spec.replace_attributes(freshness_policy=policy)


def report_written_tables(context: dg.AssetExecutionContext) -> None:
    """Logs that this run writes to the tables that every run writes to."""
    for key in WRITTEN_BY_EVERY_RUN:
        context.log_event(dg.AssetMaterialization(key.split("/")))
