"""Why a run could not be launched, whichever launcher was to start it.

What does not belong here: starting it (`forking_launcher`, `celery_launcher`, `kubernetes_launcher`).
"""

import dagster as dg
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.origin import JobPythonOrigin


def launch_failure(sentence: str) -> DagsterLaunchFailedError:
    """The error that Dagster shows in the run's events, with this sentence."""
    return DagsterLaunchFailedError(sentence)  # type: ignore[no-untyped-call]


def require_code_origin(run: dg.DagsterRun) -> JobPythonOrigin:
    """Where the run's code is. Raises DagsterLaunchFailedError for a run that does not say so."""
    if run.job_code_origin is None:
        raise launch_failure(f"Run {run.run_id} does not say where its code is; launch it anew.")
    return run.job_code_origin
