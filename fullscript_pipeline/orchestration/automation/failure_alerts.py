"""A failed run leaves the machine: as JSON to a command's standard input, or posted to an address.

Told are names of ours and the step's sentence, which is free of health data by rule; never a record. What does not
belong here: deciding what a failure is (Dagster does), retrying.
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
    description="Tells FULLSCRIPT_ON_FAILURE_COMMAND or FULLSCRIPT_ON_FAILURE_URL of every run that failed.",
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
    """Tells it by every way that is set; a sentence for each. Never raises: an alarm must not fail the alarm."""
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
        return f"The command of FULLSCRIPT_ON_FAILURE_COMMAND ended with {done.returncode}."
    return "The command was told."


def _post_to_url(url: str, body: bytes) -> str:
    # The settings accept http and https only. The address may hold a secret, so it is not repeated.
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return f"The address was told (status {answer.status})."
    except urllib.error.HTTPError as error:
        return f"FULLSCRIPT_ON_FAILURE_URL answered {error.code}."
    except OSError as error:
        return f"FULLSCRIPT_ON_FAILURE_URL could not be reached ({type(error).__name__})."


def _failure_sentence(event: dg.DagsterEvent) -> str:
    """Ours where the step told one; of anything unexpected only its kind, because a message might hold a record."""
    failure = event.step_failure_data
    user_failure = failure.user_failure_data
    if user_failure and user_failure.description:
        return user_failure.description
    kind = failure.error.cls_name if failure.error else None
    return f"The step failed unexpectedly ({kind or 'unknown error'}); the run's page in the UI has the trace."
