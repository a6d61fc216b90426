"""From a round of events to the run that handles it; used by the event sensor and by `refresh`."""

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.partitions import clinic_cell
from fullscript_pipeline.refresh import Round
from fullscript_pipeline.settings import load_settings


def run_config(found: Round) -> dict[str, object]:
    """The config of `clinic_refresh`: a clinic key and opaque event ids."""
    config = {"clinic": found.clinic_key, "event_ids": list(found.event_ids)}
    return {"ops": {"refresh_touched": {"config": config}}}


def request_for(found: Round) -> dg.RunRequest:
    """A refresh of these events; of the whole present cell when there are too many."""
    tags = {"fullscript/clinic": found.clinic_key}
    if found.whole_cell:
        day = clock.today(load_settings().time_zone)
        return dg.RunRequest(
            job_name="clinic_daily", run_key=found.name, partition_key=clinic_cell(found.clinic_key, day), tags=tags
        )
    return dg.RunRequest(job_name="clinic_refresh", run_key=found.name, run_config=run_config(found), tags=tags)
