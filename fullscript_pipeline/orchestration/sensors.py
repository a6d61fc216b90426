"""Sensors: ten lines each around plain functions. They list and ask for runs; they never open DuckDB."""

import time

import dagster as dg

from fullscript_pipeline.api import FullscriptError
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.orchestration.jobs import clinic_daily, clinic_refresh
from fullscript_pipeline.orchestration.partitions import clinics
from fullscript_pipeline.orchestration.refreshing import request_for
from fullscript_pipeline.orchestration.resources import FullscriptResource
from fullscript_pipeline.orchestration.stale_pages import pages_after_a_failed_pull_sensor
from fullscript_pipeline.refresh import asked, look

# Dagster ends a sensor after 60 s.
TIME_BUDGET_SECONDS = 40


@dg.sensor(
    name="connected_clinics_sensor",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Adds a row of cells for every clinic that `connect` has registered; history stays when one leaves.",
)
def connected_clinics_sensor(
    context: dg.SensorEvaluationContext, fullscript: FullscriptResource
) -> dg.SensorResult | dg.SkipReason:
    known = set(context.instance.get_dynamic_partitions("clinics"))
    with fullscript.store() as store:
        new = [clinic.clinic_key for clinic in store.clinics() if clinic.clinic_key not in known]
    if not new:
        return dg.SkipReason(f"{len(known)} clinics known, none new.")
    return dg.SensorResult(dynamic_partitions_requests=[clinics.build_add_request(new)])


@dg.sensor(
    name="clinic_events_sensor",
    jobs=[clinic_refresh, clinic_daily],
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at each clinic's event feeds and asks for a refresh of just what changed.",
)
def clinic_events_sensor(
    context: dg.SensorEvaluationContext, fullscript: FullscriptResource
) -> dg.SensorResult | dg.SkipReason:
    started, requests, said = time.monotonic(), [], []
    with fullscript.store() as store:
        keys = [clinic.clinic_key for clinic in store.clinics() if clinic.status == "ok"]
    first = keys.index(context.cursor) if context.cursor in keys else 0
    following: str | None = None
    for key in keys[first:] + keys[:first]:
        if time.monotonic() - started > TIME_BUDGET_SECONDS:
            following = key
            break
        try:
            with fullscript.session(key) as (session, store):
                if found := look(session, store):
                    requests.append(request_for(found))
                    asked(store, session, found)
                    said.append(f"{key}: {len(found.event_ids)} events")
        except (FullscriptError, PipelineError) as error:
            said.append(f"{key}: {error}")
    context.update_cursor(following or "")
    if not requests:
        return dg.SkipReason("; ".join(said) or f"Nothing new at {len(keys)} clinics.")
    context.log.info("; ".join(said))
    return dg.SensorResult(run_requests=requests)


ALL_SENSORS = (connected_clinics_sensor, clinic_events_sensor, pages_after_a_failed_pull_sensor)
