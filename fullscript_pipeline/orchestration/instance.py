"""The Dagster instance of a data directory: its home folder, its settings, its clinics' partitions.

What does not belong here: running jobs (`runs`).
"""

import os
from importlib.resources import files

import dagster as dg

from fullscript_pipeline.machine_limits import allow_open_files
from fullscript_pipeline.private_files import private_files
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore


def prepare_home(settings: Settings) -> None:
    """Makes `dagster_home` with our `dagster.yaml` unless one is there, and points Dagster to it."""
    settings.prepare_data_dir()
    target = settings.dagster_home / "dagster.yaml"
    if not target.exists():
        target.touch(mode=0o600)
        target.write_text(files(__package__).joinpath("dagster.yaml").read_text())
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Raises ConfigurationError when this process may not open as many files as a run needs."""
    allow_open_files()
    prepare_home(settings)
    with private_files():
        return dg.DagsterInstance.get()


def add_clinic_partitions(instance: dg.DagsterInstance, store: StateStore) -> None:
    """What the discovery sensor does, for those who run without the daemon."""
    instance.add_dynamic_partitions("clinics", [clinic.clinic_key for clinic in store.clinics()])
