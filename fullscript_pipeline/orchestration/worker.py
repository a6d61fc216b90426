"""The worker that executes runs which the daemon, on this or another machine, puts into the queue.

`celery -A fullscript_pipeline.orchestration.worker worker` (docs/scale-out.md, Workers): each run is a
fork of the worker, which has imported what a run needs, and ends with it. SIGTERM stops the runs and then the worker;
the daemon starts them again. What does not belong here: how a run is put into the queue (`celery_launcher`).
"""

import gc
import signal
import sys
from typing import Any

import psutil
from celery import signals
from dagster_celery.config import TASK_EXECUTE_JOB_NAME

import fullscript_pipeline.build  # noqa: F401 - what a run needs, imported before it is forked
from fullscript_pipeline.orchestration.celery_launcher import CeleryLauncher, run_of_task
from fullscript_pipeline.orchestration.program_start import start_program
from fullscript_pipeline.orchestration.runtime import execute_launched_run
from fullscript_pipeline.settings import Settings

_EXIT_SETTINGS = 78


def make_app(settings: Settings) -> Any:
    """The app of Celery with the task of a run. Ends the process with a message when the settings name no queue."""
    if settings.broker_url is None:
        print(  # noqa: T201 - a program of its own
            f"fullscript-pipeline: FULLSCRIPT_RUNNER is {settings.runner_kind}, so there is no queue to take runs "
            "from: set it to celery+redis://HOST:PORT/0, as for the daemon.",
            file=sys.stderr,
        )
        sys.exit(_EXIT_SETTINGS)
    made = CeleryLauncher(settings.broker_url).celery

    def execute_job(execute_job_args_packed: Any) -> None:
        execute_launched_run(settings, run_of_task(execute_job_args_packed))

    made.task(name=TASK_EXECUTE_JOB_NAME)(execute_job)
    signals.worker_before_create_process.connect(_freeze)
    signals.worker_shutting_down.connect(_stop_runs)
    return made


def _freeze(**_: Any) -> None:
    """Without this, the first collection in a run would copy all the memory that it shares with the worker."""
    gc.freeze()


def _stop_runs(**_: Any) -> None:
    """Celery would wait for them, which may be hours. A process without a run ignores it."""
    for child in psutil.Process().children():
        child.send_signal(signal.SIGINT)


app = make_app(start_program())
