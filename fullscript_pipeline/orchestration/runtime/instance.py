"""The Dagster instance of a data directory: its home folder, its settings, its clinics' partitions.

What does not belong here: running jobs (`in_process_runs`).
"""

import os
import re
from importlib.resources import files
from pathlib import Path

import dagster as dg

from fullscript_pipeline.machine_errors import allow_open_files
from fullscript_pipeline.private_files import private_files
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore

# Modules that earlier versions wrote into `dagster.yaml`, and where they are now.
_MOVED_MODULES = {
    "fullscript_pipeline.orchestration.storage": "fullscript_pipeline.orchestration.runtime.storage",
    "fullscript_pipeline.state.requests": "fullscript_pipeline.state.request_budget",
}


def prepare_home(settings: Settings) -> None:
    """Makes `dagster_home` with our `dagster.yaml` unless one is there, and points Dagster to it.

    An existing file is its owner's: only the names of modules that have moved are brought up to date in it.
    """
    settings.prepare_data_dir()
    target = settings.dagster_home / "dagster.yaml"
    if target.exists():
        _rename_moved_modules(target)
    else:
        target.touch(mode=0o600)
        target.write_text(files(__package__).joinpath("dagster.yaml").read_text())
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)


def _rename_moved_modules(path: Path) -> None:
    text = renamed = path.read_text(encoding="utf-8")
    for old, new in _MOVED_MODULES.items():
        renamed = re.sub(rf"{re.escape(old)}\b", new, renamed)
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
