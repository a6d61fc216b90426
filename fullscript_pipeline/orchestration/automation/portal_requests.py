"""Takes the portal's requests from their queue: connects a clinic and starts its first pull, or reads a patient again.

Without a portal there is no queue, and nothing happens. What does not belong here: the queue (`portal_store`), what a
user is shown (`web`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.api import ConnectRefused, connect_with_code
from fullscript_pipeline.errors import PipelineError, UsageError
from fullscript_pipeline.orchestration.automation.jobs import catalog_daily, clinic_daily
from fullscript_pipeline.orchestration.automation.patient_read_job import patient_read
from fullscript_pipeline.orchestration.runtime import StateResource, clinic_partition, clinics, region_partition
from fullscript_pipeline.plural import counted
from fullscript_pipeline.portal_store import (
    CONNECT,
    DONE,
    FAILED,
    READ_PATIENT,
    PortalRequest,
    PortalRequests,
    TakenRequest,
    split_keys,
)
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, StateStore

TAG = "fullscript/portal_request"
# A run of a request that was taken exists by then.
_LOST_SECONDS = 300
_OVER = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@contextmanager
def open_queue(settings: Settings) -> Iterator[PortalRequests | None]:
    """Yields the queue; None if no portal has made one, or if this process has no FULLSCRIPT_WEB_KEY."""
    keys = split_keys(settings.web_key)
    if not keys or not Path(settings.portal_requests_path).exists():
        yield None
        return
    queue = PortalRequests(settings.portal_requests_path, keys, lambda: clock.real_now().timestamp())
    try:
        yield queue
    finally:
        queue.close()


@dg.sensor(
    name="portal_requests_sensor",
    jobs=[clinic_daily, catalog_daily, patient_read],
    # The daemon looks at each request, and every five seconds.
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Takes the portal's requests: connects a clinic whose user has approved it and requests its first pull, or "
        "requests a run that reads one patient again; says in the portal how far each is."
    ),
)
def portal_requests_sensor(
    context: dg.SensorEvaluationContext, state: StateResource
) -> dg.SensorResult | dg.SkipReason:
    settings = state.settings.read()
    with open_queue(settings) as queue:
        if queue is None:
            return dg.SkipReason("There is no portal, or this process does not have FULLSCRIPT_WEB_KEY.")
        _follow_runs(context.instance, queue)
        taken = queue.take()
        if not taken:
            return dg.SkipReason("The portal has no new request.")
        with state.open() as store:
            return _handle(context, settings, store, queue=queue, taken=taken)


def _handle(
    context: dg.SensorEvaluationContext,
    settings: Settings,
    store: StateStore,
    *,
    queue: PortalRequests,
    taken: list[TakenRequest],
) -> dg.SensorResult:
    runs: list[dg.RunRequest] = []
    new: list[str] = []
    for found in taken:
        request = found.request
        try:
            if request.kind == CONNECT:
                clinic_key = _connect(settings, store, found)
                new.append(clinic_key)
                runs += _first_pull(settings, store, clinic_key, request)
                queue.describe(request.request_id, "The clinic is connected. Its first pull begins.")
            elif request.kind == READ_PATIENT:
                runs.append(_patient_run(store, request))
                queue.describe(request.request_id, "Fullscript is being read.")
        except PipelineError as error:
            context.log.warning(f"a request of the portal failed: {type(error).__name__}")
            queue.end(request.request_id, FAILED, _sentence(error))
    known = set(context.instance.get_dynamic_partitions("clinics"))
    added = [key for key in dict.fromkeys(new) if key not in known]
    context.log.info(f"Took {counted(len(taken), 'request')} of the portal.")
    return dg.SensorResult(
        run_requests=runs,
        dynamic_partitions_requests=[clinics.build_add_request(added)] if added else [],
        skip_reason=None if runs else f"{counted(len(taken), 'request')} of the portal failed.",
    )


def _connect(settings: Settings, store: StateStore, taken: TakenRequest) -> str:
    """Connects the clinic whose user signed in to the portal, and no other. Returns its key."""
    server = settings.require_app(taken.request.server)
    store.facts.set_environment_kind("production" if server.is_production else "sandbox")
    connected = connect_with_code(settings, store, server, taken.code, clinic_id=taken.request.clinic_id)
    return connected.clinic.clinic_key


def _first_pull(
    settings: Settings, store: StateStore, clinic_key: str, request: PortalRequest
) -> Iterator[dg.RunRequest]:
    clinic, day = store.clinics.find(clinic_key), clock.today(settings.time_zone)
    yield dg.RunRequest(
        job_name="catalog_daily",
        run_key=f"portal-catalog-{request.request_id}",
        partition_key=region_partition(clinic.region, day),
        tags={"fullscript/region": clinic.region},
    )
    yield dg.RunRequest(
        job_name="clinic_daily",
        run_key=f"portal-{request.request_id}",
        partition_key=clinic_partition(clinic_key, day),
        tags={"fullscript/clinic": clinic_key, TAG: request.request_id},
    )


def _patient_run(store: StateStore, request: PortalRequest) -> dg.RunRequest:
    """Its config names the request, not the patient."""
    clinic = _clinic_of(store, request)
    config = {"ops": {"read_patient_again": {"config": {"clinic": clinic.clinic_key, "request": request.request_id}}}}
    return dg.RunRequest(
        job_name="patient_read",
        run_key=f"portal-{request.request_id}",
        run_config=config,
        tags={"fullscript/clinic": clinic.clinic_key, TAG: request.request_id},
    )


def _clinic_of(store: StateStore, request: PortalRequest) -> Clinic:
    """Raises UsageError for a clinic that is not connected any more."""
    for clinic in store.clinics.all():
        if (clinic.server, clinic.clinic_id) == (request.server, request.clinic_id):
            return clinic
    raise UsageError("The clinic of a request of the portal is not connected any more.")


def _follow_runs(instance: dg.DagsterInstance, queue: PortalRequests) -> None:
    """Says of each request that is being handled how far its run is."""
    now = clock.real_now().timestamp()
    for request in queue.taken():
        records = instance.get_run_records(dg.RunsFilter(tags={TAG: request.request_id}), limit=1)
        run = records[0].dagster_run if records else None
        if run is None:
            if now - request.changed_s > _LOST_SECONDS:
                queue.end(request.request_id, FAILED, "The pipeline did not start the run: try again.")
        elif run.status == dg.DagsterRunStatus.SUCCESS:
            queue.end(request.request_id, DONE, "Read.")
        elif run.status in _OVER:
            queue.end(request.request_id, FAILED, "The run failed: whoever runs the pipeline finds the reason there.")
        elif run.status in (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED):
            queue.describe(request.request_id, "The run waits for another one of the clinic, or for its turn.")
        elif request.kind == CONNECT:
            queue.describe(request.request_id, _progress(instance, run.run_id))


def _progress(instance: dg.DagsterInstance, run_id: str) -> str:
    steps = [step for step in instance.get_run_step_stats(run_id) if step.start_time]
    done = sum(step.end_time is not None for step in steps)
    return f"The first pull runs: {counted(done, 'step')} done. A large clinic takes an hour or two."


def _sentence(error: PipelineError) -> str:
    """What a user of the portal may read; the rest is for whoever runs the pipeline."""
    if isinstance(error, ConnectRefused):
        return str(error).replace("Run `connect` again.", "Connect the clinic again.")
    return "The pipeline could not do it: whoever runs it finds the reason with `fullscript-pipeline doctor`."
