"""From a round of events to the runs that handle it; used by the sensors and by `refresh`.

What does not belong here: which events (`refresh`).
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.orchestration.runtime import clinic_partition, region_partition
from fullscript_pipeline.refresh import RefreshRequest, mark_run_requested
from fullscript_pipeline.state import StateStore

# Runs of these states will still read what is pending when they begin.
NOT_STARTED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]


def run_config(pending: RefreshRequest) -> dict[str, object]:
    """The config of `clinic_refresh`: a clinic key and opaque event ids."""
    config = {"clinic": pending.clinic_key, "event_ids": list(pending.event_ids)}
    return {"ops": {"refresh_touched": {"config": config}}}


def requests_for(store: StateStore, clinic: ClinicRef, pending: RefreshRequest, day: date) -> Iterator[dg.RunRequest]:
    """A refresh of these events; the whole present cell, or the region's catalog, when there are too many.

    The events count as asked for: nobody asks again within a quarter of an hour.
    """
    run = mark_run_requested(store, clinic, pending)
    tags = {"fullscript/clinic": pending.clinic_key}
    if pending.needs_catalog_pull:
        partition, region = region_partition(clinic.region, day), {"fullscript/region": clinic.region}
        yield dg.RunRequest(job_name="catalog_daily", run_key=f"catalog-{run}", partition_key=partition, tags=region)
    if pending.needs_full_pull:
        partition = clinic_partition(pending.clinic_key, day)
        yield dg.RunRequest(job_name="clinic_daily", run_key=run, partition_key=partition, tags=tags)
    else:
        yield dg.RunRequest(job_name="clinic_refresh", run_key=run, run_config=run_config(pending), tags=tags)


def has_queued_refresh(instance: dg.DagsterInstance, clinic_key: str) -> bool:
    """Whether a refresh of the clinic is queued and has not begun: it will handle whatever is pending."""
    queued = dg.RunsFilter(job_name="clinic_refresh", statuses=NOT_STARTED, tags={"fullscript/clinic": clinic_key})
    return bool(instance.get_run_records(queued, limit=1))
