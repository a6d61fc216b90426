"""The Dagster instance of a data directory: its home folder, its settings, its clinics' partitions.

What does not belong here: running jobs (`in_process_runs`).
"""

import os
import re
import sys
from collections.abc import Mapping
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
# Where `compute_logs` of dagster.yaml reads the place in the bucket from.
COMPUTE_LOGS = "DAGSTER_COMPUTE_LOGS"
COMPUTE_LOGS_FOLDER = "compute-logs"
# Of each runner: its entry in `dagster.yaml`, and how long a run may wait for its process. In a queue it waits until a
# worker has ended another run.
_LAUNCHERS: Mapping[str, tuple[str, str]] = {
    "local": ("launcher.yaml", "  start_timeout_seconds: 180\n"),
    "celery": ("launcher-celery.yaml", "  start_timeout_seconds: 14400  # it may wait for a worker\n"),
    "k8s": ("launcher-k8s.yaml", "  start_timeout_seconds: 1800  # its pod may wait for a node\n"),
}
# What has to be installed for it, and by which extras.
_PACKAGES = {"celery": ("dagster_celery", "distributed"), "k8s": ("dagster_k8s", "distributed,k8s")}
_KUBERNETES_LAUNCHER = "fullscript_pipeline.orchestration.kubernetes_launcher"
# Modules that earlier versions wrote into `dagster.yaml`, and where they are now.
_MOVED_MODULES = {
    "fullscript_pipeline.orchestration.storage": "fullscript_pipeline.orchestration.runtime.storage",
    "fullscript_pipeline.state.requests": "fullscript_pipeline.state.request_budget",
}


def prepare_home(settings: Settings) -> None:
    """Makes `dagster_home` with our `dagster.yaml` unless one is there, and points Dagster to it.

    An existing file is its owner's: only our own entries for the history and the launcher, the names of modules that
    have moved, and a launcher where it names none, are brought up to date in it. Raises ConfigurationError when it
    names another launcher than the setting, or the runner's packages are not installed.
    """
    package, extras = _PACKAGES.get(settings.runner_kind, (None, ""))
    if package and find_spec(package) is None:
        raise ConfigurationError(
            f"FULLSCRIPT_RUNNER is {settings.runner_kind}, and its packages are not installed: run `pip install "
            f"'fullscript-pipeline[{extras}]'`."
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
    if settings.bucket_url:
        os.environ[COMPUTE_LOGS] = f"{settings.bucket_url}/{COMPUTE_LOGS_FOLDER}"


def _template(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _bring_up_to_date(path: Path, settings: Settings) -> None:
    text = renamed = path.read_text(encoding="utf-8")
    for old, new in _MOVED_MODULES.items():
        renamed = re.sub(rf"{re.escape(old)}\b", new, renamed)
    storages = [_template("storage-sqlite.yaml"), _template("storage-postgres.yaml")]
    here, elsewhere = reversed(storages) if settings.state_url else storages
    renamed = _with_launcher(renamed.replace(elsewhere, here), path, settings.runner_kind)
    renamed = _with_compute_logs(renamed, is_shared=settings.bucket_url is not None)
    if settings.concurrent_runs:
        renamed = re.sub(r"(?m)^( +max_concurrent_runs:).*$", rf"\1 {settings.concurrent_runs}", renamed)
    if renamed != text:
        path.write_text(renamed, encoding="utf-8")


def _with_launcher(text: str, path: Path, runner: str) -> str:
    """The text with the launcher of the setting. On this machine alone, one that its owner names stays."""
    name, wait = _LAUNCHERS[runner]
    wanted = _template(name)
    for other_name, other_wait in _LAUNCHERS.values():
        if other_name != name:
            text = text.replace(_template(other_name), "").replace(other_wait, wait)
    names_one = re.search(r"^run_launcher:", text, re.MULTILINE)
    if runner != "k8s" and names_one and _KUBERNETES_LAUNCHER in text:
        raise ConfigurationError(
            f"{path} names the launcher of pods with changes of yours, and FULLSCRIPT_RUNNER is {runner}: remove the "
            "entry run_launcher from the file, or set FULLSCRIPT_RUNNER to k8s."
        )
    # Of a cluster, its owner may say more in our entry than we write.
    is_ours = wanted in text or (runner == "k8s" and _KUBERNETES_LAUNCHER in text)
    if runner != "local" and names_one and not is_ours:
        raise ConfigurationError(
            f"{path} names a run_launcher of its own, and FULLSCRIPT_RUNNER is {runner}: remove the entry from the "
            "file, or set FULLSCRIPT_RUNNER to local."
        )
    # Forking is not safe on every system with the libraries of a run; elsewhere Dagster's own launcher stays.
    return text if names_one or (runner == "local" and sys.platform != "linux") else text + wanted


def _with_compute_logs(text: str, *, is_shared: bool) -> str:
    """The text with our entry, as the last one, where there is a bucket, and without it elsewhere.

    One that its owner names stays.
    """
    entry = _template("compute-logs.yaml")
    others = text.replace(entry, "")
    names_one = re.search(r"^compute_logs:", others, re.MULTILINE)
    return others + entry if is_shared and not names_one else others


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Raises ConfigurationError when this process may not open as many files as a run needs."""
    allow_open_files()
    prepare_home(settings)
    with private_files():
        return dg.DagsterInstance.get()


def add_clinic_partitions(instance: dg.DagsterInstance, store: StateStore) -> None:
    """What the discovery sensor does, for those who run without the daemon."""
    instance.add_dynamic_partitions("clinics", [clinic.clinic_key for clinic in store.clinics.all()])
