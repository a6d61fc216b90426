"""The job that reads one patient again, whom somebody has asked for in the portal.

What does not belong here: which requests there are (`portal_requests`), what is read (`refresh.patient_read`).
"""

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.maintenance import page_rebuild
from fullscript_pipeline.orchestration.assets import pipeline_errors_as_failures
from fullscript_pipeline.orchestration.automation.jobs import present_day, target_of
from fullscript_pipeline.orchestration.runtime import FullscriptResource, ReportsResource, WarehouseResource
from fullscript_pipeline.plural import counted
from fullscript_pipeline.portal_store import DONE, PortalRequests, split_keys
from fullscript_pipeline.refresh import mark_refresh_done, read_patient, watch_labs
from fullscript_pipeline.settings import Settings


class PatientReadConfig(dg.Config):
    """A clinic, and the request in the portal's queue that names the patient."""

    clinic: str
    request: str


@dg.op(description="Reads one patient's record, plans, orders and lab orders, then rebuilds rows and pages.")
def read_patient_again(
    context: dg.OpExecutionContext,
    config: PatientReadConfig,
    fullscript: FullscriptResource,
    warehouse: WarehouseResource,
    reports: ReportsResource,
) -> None:
    with pipeline_errors_as_failures(), fullscript.session(config.clinic) as (session, store):
        queue = _queue(fullscript.settings.read())
        try:
            request = queue.find(config.request)
            if request is None or request.patient_id is None:
                raise UsageError("The portal's request is not in the queue any more: ask again in the portal.")
            clinic_day = present_day(session, fullscript, warehouse)
            read = read_patient(target_of(context, clinic_day, store), session, store, request.patient_id)
            page_rebuild.rebuild_touched(clinic_day, reports.open(), read.patients)
            watch_labs(clinic_day.warehouse, store, clinic_day.clinic)
            mark_refresh_done(store, session, read)
            queue.end(config.request, DONE, "Read.")
        finally:
            queue.close()
    context.log.info(f"{config.clinic}: read one patient again; {counted(read.requests, 'request')}.")


def _queue(settings: Settings) -> PortalRequests:
    keys = split_keys(settings.web_key)
    if not keys:
        raise UsageError("FULLSCRIPT_WEB_KEY is not set: the portal's queue cannot be read.")
    return PortalRequests(settings.portal_requests_path, keys, lambda: clock.real_now().timestamp())


@dg.job(
    name="patient_read",
    description="Reads one patient again, as somebody asked in the portal. The portal's sensor requests it.",
)
def patient_read() -> None:
    read_patient_again()
