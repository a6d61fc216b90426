"""Sends alerts about failed runs and about recoveries: as JSON to a command's standard input, or as a POST to a URL.

An alert holds names of the pipeline and the error message, which by rule holds no health data; never a record. What
does not belong here: what counts as a failure (Dagster decides), retries.
"""

import json
from collections.abc import Mapping, Sequence

import dagster as dg

from fullscript_pipeline.job_names import plain_job_name
from fullscript_pipeline.orchestration.assets import CLOSED_DAY_TAG
from fullscript_pipeline.orchestration.runtime import SettingsResource, post_to_url, send_to_command
from fullscript_pipeline.settings import Settings

# Whose a run is: one of these tags, whoever started it.
_OWNER_TAGS = ("fullscript/clinic", "dagster/partition/clinic", "dagster/partition/region")
_RUNS_BACK = 20


@dg.run_failure_sensor(
    name="tell_of_failures_sensor",
    monitor_all_code_locations=False,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends an alert to FULLSCRIPT_ON_FAILURE_COMMAND or FULLSCRIPT_ON_FAILURE_URL for every failed run.",
)
def tell_of_failures_sensor(context: dg.RunFailureSensorContext, settings: SettingsResource) -> dg.SkipReason:
    current = settings.read()
    if not (current.on_failure_command or current.on_failure_url):
        return dg.SkipReason("Neither FULLSCRIPT_ON_FAILURE_COMMAND nor FULLSCRIPT_ON_FAILURE_URL is set.")
    run = context.dagster_run
    steps = context.get_step_failure_events()
    message = {
        "what": "run failed",
        **run_fields(run),
        "failures": [{"step": event.step_key or "", "sentence": _failure_sentence(event)} for event in steps],
    }
    return dg.SkipReason("; ".join(send_alerts(current, message)))


@dg.run_status_sensor(
    name="tell_of_recoveries_sensor",
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitor_all_code_locations=False,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends word to FULLSCRIPT_ON_RECOVERY_COMMAND or FULLSCRIPT_ON_RECOVERY_URL of a job that works again.",
)
def tell_of_recoveries_sensor(context: dg.RunStatusSensorContext, settings: SettingsResource) -> dg.SkipReason:
    current, run = settings.read(), context.dagster_run
    if not (current.on_recovery_command or current.on_recovery_url):
        return dg.SkipReason("Neither FULLSCRIPT_ON_RECOVERY_COMMAND nor FULLSCRIPT_ON_RECOVERY_URL is set.")
    if not has_recovered(context.instance, run):
        return dg.SkipReason(
            "No run before it failed at what this one did, or this one made nothing: the day of its cell is over."
        )
    return dg.SkipReason("; ".join(send_recovery(current, {"what": "run recovered", **run_fields(run)})))


def has_recovered(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether this successful run did again what an earlier run of the same job and clinic (or region) failed to do.

    Runs that made nothing, since the day of their partition is over, show neither failure nor recovery. A run of some
    assets, such as one that only rewrites pages after a failed pull, is no recovery of the whole job.
    """
    owner = {key: run.tags[key] for key in _OWNER_TAGS if key in run.tags}
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    # With no owner among the tags, the runs of the whole job are compared.
    filters = dg.RunsFilter(job_name=run.job_name, tags=owner, statuses=finished)
    recent = instance.get_runs(filters, limit=_RUNS_BACK)
    runs = [other for other in recent if CLOSED_DAY_TAG not in other.tags]
    places = [place for place, other in enumerate(runs) if other.run_id == run.run_id]
    for earlier in runs[places[0] + 1 :] if places else []:
        if earlier.status is dg.DagsterRunStatus.FAILURE and _covers(run, earlier):
            return True
        if earlier.status is dg.DagsterRunStatus.SUCCESS and _covers(earlier, run):
            return False
    return False


def _covers(run: dg.DagsterRun, other: dg.DagsterRun) -> bool:
    """Whether `run` made every asset that `other` was to make. A run without a selection makes all of its job."""
    if run.asset_selection is None:
        return True
    return other.asset_selection is not None and other.asset_selection <= run.asset_selection


def send_recovery(settings: Settings, message: Mapping[str, object]) -> list[str]:
    """Sends word of a recovery to every configured target; returns a message for each. Never raises."""
    targets = settings.on_recovery_command, settings.on_recovery_url
    return _send(message, ("FULLSCRIPT_ON_RECOVERY_COMMAND", "FULLSCRIPT_ON_RECOVERY_URL"), *targets)


def run_fields(run: dg.DagsterRun) -> dict[str, str]:
    """Which run a message is about: its job (or assets), cell and clinic."""
    return {
        "job": plain_job_name(run.job_name, (key.to_user_string() for key in run.asset_selection or ())),
        "run_id": run.run_id,
        "cell": run.tags.get("dagster/partition", ""),
        # A partition launched from the UI has Dagster's own tags only.
        "clinic": run.tags.get("fullscript/clinic") or run.tags.get("dagster/partition/clinic", ""),
    }


def send_alerts(settings: Settings, message: Mapping[str, object]) -> list[str]:
    """Sends the alert to every configured target; returns a message for each. Never raises."""
    targets = settings.on_failure_command, settings.on_failure_url
    return _send(message, ("FULLSCRIPT_ON_FAILURE_COMMAND", "FULLSCRIPT_ON_FAILURE_URL"), *targets)


def _send(
    message: Mapping[str, object], variables: tuple[str, str], command: Sequence[str] | None, url: str | None
) -> list[str]:
    """Sends to the command and to the URL, where set; `variables`: the settings they come from, named in outcomes."""
    body, outcomes = json.dumps(message).encode(), []
    if command:
        outcomes.append(send_to_command(variables[0], command, body, what="alert"))
    if url:
        outcomes.append(post_to_url(variables[1], url, body, what="alert"))
    return [sent.sentence for sent in outcomes]


def _failure_sentence(event: dg.DagsterEvent) -> str:
    """The message of a PipelineError; for any other error only its type, because its message might hold a record."""
    failure = event.step_failure_data
    user_failure = failure.user_failure_data
    if user_failure and user_failure.description:
        return user_failure.description
    kind = failure.error.cls_name if failure.error else None
    return f"The step failed unexpectedly ({kind or 'unknown error'}); the run's page in the UI shows the trace."
