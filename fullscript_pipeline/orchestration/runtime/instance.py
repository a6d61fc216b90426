"""The Dagster instance of a data directory: its home folder, its settings, its clinics' partitions.

What does not belong here: running jobs (`in_process_runs`).
"""

import os
import re
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import dagster as dg

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.machine_errors import allow_open_files
from fullscript_pipeline.private_files import private_files
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore, make_history_schema

# Where `storage` of dagster.yaml reads the address of the state store's PostgreSQL from, which no file may hold.
HISTORY_URL = "DAGSTER_HISTORY_URL"
# Where `run_launcher` of dagster.yaml reads the address of the queue from, which may hold a password.
RUNS_BROKER = "DAGSTER_RUNS_BROKER"
# How long a run may wait for its process. In a queue it waits until a worker has ended another run.
_START_HERE = "  start_timeout_seconds: 180\n"
_START_BY_WORKER = "  start_timeout_seconds: 14400  # it may wait for a worker\n"
# Modules that earlier versions wrote into `dagster.yaml`, and where they are now.
_MOVED_MODULES = {
    "fullscript_pipeline.orchestration.storage": "fullscript_pipeline.orchestration.runtime.storage",
    "fullscript_pipeline.state.requests": "fullscript_pipeline.state.request_budget",
}


def prepare_home(settings: Settings) -> None:
    """Makes `dagster_home` with our `dagster.yaml` unless one is there, and points Dagster to it.

    An existing file is its owner's: only our own entries for the history and the launcher, the names of modules that
    have moved, and a launcher where it names none, are brought up to date in it. Raises ConfigurationError when it
    names another launcher than the setting, or a queue's packages are not installed.
    """
    if settings.broker_url and find_spec("dagster_celery") is None:
        raise ConfigurationError(
            "FULLSCRIPT_RUNNER names a queue, and its packages are not installed: run `pip install "
            "'fullscript-pipeline[distributed]'`."
        )
    settings.prepare_data_dir()
    target = settings.dagster_home / "dagster.yaml"
    if not target.exists():
        target.touch(mode=0o600)
        target.write_text(_template("dagster.yaml"))
    _bring_up_to_date(target, settings)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    # Dagster then gives the storage the events that it has at once (what a run plans, what a step made) at once.
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "100")
    if settings.state_url:
        os.environ[HISTORY_URL] = make_history_schema(settings.state_url)
    if settings.broker_url:
        os.environ[RUNS_BROKER] = settings.broker_url


def _template(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _bring_up_to_date(path: Path, settings: Settings) -> None:
    text = renamed = path.read_text(encoding="utf-8")
    for old, new in _MOVED_MODULES.items():
        renamed = re.sub(rf"{re.escape(old)}\b", new, renamed)
    storages = [_template("storage-sqlite.yaml"), _template("storage-postgres.yaml")]
    here, elsewhere = reversed(storages) if settings.state_url else storages
    renamed = _with_launcher(renamed.replace(elsewhere, here), path, uses_queue=bool(settings.broker_url))
    if renamed != text:
        path.write_text(renamed, encoding="utf-8")


def _with_launcher(text: str, path: Path, *, uses_queue: bool) -> str:
    """The text with the launcher of the setting. On this machine alone, one that its owner names stays."""
    forks, queue = _template("launcher.yaml"), _template("launcher-celery.yaml")
    wanted, other = (queue, forks) if uses_queue else (forks, queue)
    times = (_START_HERE, _START_BY_WORKER) if uses_queue else (_START_BY_WORKER, _START_HERE)
    text = text.replace(other, "").replace(*times)
    names_one = re.search(r"^run_launcher:", text, re.MULTILINE)
    if uses_queue and names_one and wanted not in text:
        raise ConfigurationError(
            f"{path} names a run_launcher of its own, and FULLSCRIPT_RUNNER is a queue for workers: remove the entry "
            "from the file, or set FULLSCRIPT_RUNNER to local."
        )
    # Forking is not safe on every system with the libraries of a run; elsewhere Dagster's own launcher stays.
    return text if names_one or (not uses_queue and sys.platform != "linux") else text + wanted


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Raises ConfigurationError when this process may not open as many files as a run needs."""
    allow_open_files()
    prepare_home(settings)
    with private_files():
        return dg.DagsterInstance.get()


def add_clinic_partitions(instance: dg.DagsterInstance, store: StateStore) -> None:
    """What the discovery sensor does, for those who run without the daemon."""
    instance.add_dynamic_partitions("clinics", [clinic.clinic_key for clinic in store.clinics.all()])
