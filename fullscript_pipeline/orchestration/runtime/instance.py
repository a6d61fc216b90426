"""The Dagster instance of a data directory: its home folder, its settings, its clinics' partitions.

What does not belong here: running jobs (`in_process_runs`).
"""

import os
import re
import sys
from importlib.resources import files
from pathlib import Path

import dagster as dg

from fullscript_pipeline.machine_errors import allow_open_files
from fullscript_pipeline.private_files import private_files
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore, make_history_schema

# Where `storage` of dagster.yaml reads the address of the state store's PostgreSQL from, which no file may hold.
HISTORY_URL = "DAGSTER_HISTORY_URL"
# Modules that earlier versions wrote into `dagster.yaml`, and where they are now.
_MOVED_MODULES = {
    "fullscript_pipeline.orchestration.storage": "fullscript_pipeline.orchestration.runtime.storage",
    "fullscript_pipeline.state.requests": "fullscript_pipeline.state.request_budget",
}


def prepare_home(settings: Settings) -> None:
    """Makes `dagster_home` with our `dagster.yaml` unless one is there, and points Dagster to it.

    An existing file is its owner's: only our own entry for the history, the names of modules that have moved, and a
    launcher where it names none, are brought up to date in it.
    """
    settings.prepare_data_dir()
    target = settings.dagster_home / "dagster.yaml"
    if not target.exists():
        target.touch(mode=0o600)
        target.write_text(_template("dagster.yaml"))
    _bring_up_to_date(target, is_on_postgres=bool(settings.state_url))
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    # Dagster then gives the storage the events that it has at once (what a run plans, what a step made) at once.
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "100")
    if settings.state_url:
        os.environ[HISTORY_URL] = make_history_schema(settings.state_url)


def _template(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _bring_up_to_date(path: Path, *, is_on_postgres: bool) -> None:
    text = renamed = path.read_text(encoding="utf-8")
    for old, new in _MOVED_MODULES.items():
        renamed = re.sub(rf"{re.escape(old)}\b", new, renamed)
    storages = [_template("storage-sqlite.yaml"), _template("storage-postgres.yaml")]
    here, elsewhere = reversed(storages) if is_on_postgres else storages
    renamed = renamed.replace(elsewhere, here)
    # Forking is not safe on every system with the libraries of a run; elsewhere Dagster's own launcher stays.
    if sys.platform == "linux" and not re.search(r"^run_launcher:", renamed, re.MULTILINE):
        renamed += _template("launcher.yaml")
    if renamed != text:
        path.write_text(renamed, encoding="utf-8")


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Raises ConfigurationError when this process may not open as many files as a run needs."""
    allow_open_files()
    prepare_home(settings)
    with private_files():
        return dg.DagsterInstance.get()


def add_clinic_partitions(instance: dg.DagsterInstance, store: StateStore) -> None:
    """What the discovery sensor does, for those who run without the daemon."""
    instance.add_dynamic_partitions("clinics", [clinic.clinic_key for clinic in store.clinics.all()])
