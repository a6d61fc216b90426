"""Sends alerts about failed runs: as JSON to a command's standard input, or as a POST to a URL.

An alert holds names of the pipeline and the error message, which by rule holds no health data; never a record. What
does not belong here: what counts as a failure (Dagster decides), retries.
"""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence

import dagster as dg

from fullscript_pipeline.orchestration.runtime import SettingsResource
from fullscript_pipeline.secret_variables import without_secrets
from fullscript_pipeline.settings import Settings

TIMEOUT_SECONDS = 20


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
        "job": run.job_name,
        "run_id": run.run_id,
        "cell": run.tags.get("dagster/partition", ""),
        # A partition launched from the UI has Dagster's own tags only.
        "clinic": run.tags.get("fullscript/clinic") or run.tags.get("dagster/partition/clinic", ""),
        "failures": [{"step": event.step_key or "", "sentence": _failure_sentence(event)} for event in steps],
    }
    return dg.SkipReason("; ".join(send_alerts(current, message)))


def send_alerts(settings: Settings, message: Mapping[str, object]) -> list[str]:
    """Sends the alert to every configured target; returns a message for each. Never raises."""
    body, outcomes = json.dumps(message).encode(), []
    if settings.on_failure_command:
        outcomes.append(_run_command(settings.on_failure_command, body))
    if settings.on_failure_url:
        outcomes.append(_post_to_url(settings.on_failure_url, body))
    return outcomes


def _run_command(command: Sequence[str], body: bytes) -> str:
    try:
        done = subprocess.run(
            command,
            input=body,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
            check=False,
            env=without_secrets(os.environ),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"The command of FULLSCRIPT_ON_FAILURE_COMMAND could not be run ({type(error).__name__})."
    if done.returncode:
        return f"The command of FULLSCRIPT_ON_FAILURE_COMMAND failed with exit code {done.returncode}."
    return "The alert was sent to the command."


def _post_to_url(url: str, body: bytes) -> str:
    # The settings accept http and https only. The address may hold a secret, so it is not repeated.
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return f"The alert was sent to the URL (status {answer.status})."
    except urllib.error.HTTPError as error:
        return f"FULLSCRIPT_ON_FAILURE_URL answered {error.code}."
    except OSError as error:
        return f"FULLSCRIPT_ON_FAILURE_URL could not be reached ({type(error).__name__})."


def _failure_sentence(event: dg.DagsterEvent) -> str:
    """The message of a PipelineError; for any other error only its type, because its message might hold a record."""
    failure = event.step_failure_data
    user_failure = failure.user_failure_data
    if user_failure and user_failure.description:
        return user_failure.description
    kind = failure.error.cls_name if failure.error else None
    return f"The step failed unexpectedly ({kind or 'unknown error'}); the run's page in the UI shows the trace."
