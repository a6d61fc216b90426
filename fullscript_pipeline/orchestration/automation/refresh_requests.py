"""From a round of events to the runs that handle it; used by the sensors and by `refresh`.

What does not belong here: which events (`refresh`).
"""

from collections.abc import Iterator

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.orchestration.runtime import clinic_partition, region_partition
from fullscript_pipeline.refresh import Round, asked
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore

# Runs of these states will still read what is pending when they begin.
NOT_BEGUN = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]


def run_config(found: Round) -> dict[str, object]:
    """The config of `clinic_refresh`: a clinic key and opaque event ids."""
    config = {"clinic": found.clinic_key, "event_ids": list(found.event_ids)}
    return {"ops": {"refresh_touched": {"config": config}}}


def requests_for(store: StateStore, clinic: ClinicRef, found: Round) -> Iterator[dg.RunRequest]:
    """A refresh of these events; the whole present cell, or the region's catalog, when there are too many.

    The events count as asked for: nobody asks again within a quarter of an hour.
    """
    run, day = asked(store, clinic, found), clock.today(load_settings().time_zone)
    tags = {"fullscript/clinic": found.clinic_key}
    if found.catalog:
        cell, region = region_partition(clinic.region, day), {"fullscript/region": clinic.region}
        yield dg.RunRequest(job_name="catalog_daily", run_key=f"catalog-{run}", partition_key=cell, tags=region)
    if found.whole_cell:
        cell = clinic_partition(found.clinic_key, day)
        yield dg.RunRequest(job_name="clinic_daily", run_key=run, partition_key=cell, tags=tags)
    else:
        yield dg.RunRequest(job_name="clinic_refresh", run_key=run, run_config=run_config(found), tags=tags)


def already_waits(instance: dg.DagsterInstance, clinic_key: str) -> bool:
    """Whether a refresh of the clinic is asked for and has not begun: it will take along whatever is pending."""
    waiting = dg.RunsFilter(job_name="clinic_refresh", statuses=NOT_BEGUN, tags={"fullscript/clinic": clinic_key})
    return bool(instance.get_run_records(waiting, limit=1))
