"""Executes a job in this process, with the code location's origin, so that the UI shows it and can re-execute it.

The names imported from Dagster's private modules are pinned with its version, and a test re-executes such a run. What
does not belong here: which partitions to run (`cli`), runs whose process died (`orphans`).
"""

import sys
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, cast

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.execution.api import execute_run_iterator
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from fullscript_pipeline.orchestration.runtime.orphans import PID_TAG, fail_orphans, process_tags
from fullscript_pipeline.orchestration.runtime.partitions import partition_tags
from fullscript_pipeline.orchestration.runtime.run_locks import held_by_this_process
from fullscript_pipeline.orchestration.runtime.stop_signals import stop_requests
from fullscript_pipeline.private_files import private_files

__all__ = ["PID_TAG", "Failure", "Listener", "Outcome", "fail_orphans", "run_job"]

MODULE = "fullscript_pipeline.definitions"
LOCATION = "fullscript_pipeline"

Listener = Callable[[dg.DagsterEvent], None]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a step failed: the error message, and its exit code."""

    step: str
    sentence: str
    exit_code: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended. `materialized` and `observed`: the metadata of each asset, by its key."""

    run_id: str
    failures: tuple[Failure, ...] = ()
    materialized: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    observed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return not self.failures


def run_job(
    instance: dg.DagsterInstance,
    job_name: str,
    *,
    partition: str | None = None,
    run_config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    assets: set[dg.AssetKey] | None = None,
    listener: Listener | None = None,
) -> Outcome:
    """Executes `job_name` for a partition. Does not raise when a step fails.

    Raises KeyboardInterrupt when the process gets a stop signal: the run is marked failed, landed pages stay.
    """
    job = ReconstructableRepository.for_module(MODULE, "defs").get_reconstructable_job(job_name)
    run_id = str(uuid.uuid4())
    with private_files(), held_by_this_process(instance, run_id):
        selection = frozenset(assets) if assets else None
        run = instance.create_run_for_job(
            (job.get_subset(asset_selection=selection) if selection else job).get_definition(),
            run_id=run_id,
            # Our console logger: by default Dagster prints every event at DEBUG.
            run_config={"loggers": {"console": {}}, **(run_config or {})},
            tags={**(tags or {}), **partition_tags(partition), **process_tags(run_id)},
            asset_selection=selection,
            remote_job_origin=_origin().get_job_origin(job_name),
            job_code_origin=job.get_python_origin(),
        )
        return _execute(instance, job, run, listener)


def _execute(
    instance: dg.DagsterInstance, job: ReconstructableJob, run: dg.DagsterRun, listener: Listener | None
) -> Outcome:
    failures: list[Failure] = []
    materialized: dict[str, Mapping[str, Any]] = {}
    observed: dict[str, Mapping[str, Any]] = {}
    event_stream = cast(Generator[dg.DagsterEvent, None, None], execute_run_iterator(job, run, instance))
    with stop_requests() as stop_requested, closing(event_stream) as events:
        for event in events:
            if stop_requested():
                raise KeyboardInterrupt
            if event.is_step_failure:
                failures.append(_failure(event))
            elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
                _keep_metadata(materialized, event.step_materialization_data.materialization)
            elif event.event_type == dg.DagsterEventType.ASSET_OBSERVATION:
                _keep_metadata(observed, event.asset_observation_data.asset_observation)
            if listener:
                listener(event)
    finished = instance.get_run_by_id(run.run_id)
    if not failures and finished and finished.status is not dg.DagsterRunStatus.SUCCESS:
        failures.append(Failure(step=run.job_name, sentence=f"The run ended as {finished.status.value}.", exit_code=1))
    return Outcome(run_id=run.run_id, failures=tuple(failures), materialized=materialized, observed=observed)


def _keep_metadata(
    by_asset: dict[str, Mapping[str, Any]], reported: dg.AssetMaterialization | dg.AssetObservation
) -> None:
    by_asset[reported.asset_key.to_user_string()] = {name: entry.value for name, entry in reported.metadata.items()}


def _origin() -> RemoteRepositoryOrigin:
    """The origin of the UI's code location in workspace.yaml."""
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=MODULE)
    return RemoteRepositoryOrigin(ManagedGrpcPythonEnvCodeLocationOrigin(target, LOCATION), "__repository__")


def _failure(event: dg.DagsterEvent) -> Failure:
    failure = event.step_failure_data
    user_failure = failure.user_failure_data
    step = event.step_key or ""
    if user_failure and user_failure.description:
        code = user_failure.metadata.get("exit_code")
        return Failure(step=step, sentence=user_failure.description, exit_code=int(str(code.value)) if code else 1)
    error = failure.error
    last = error.cause or error if error else None
    sentence = f"{last.cls_name}: {last.message.splitlines()[0]}" if last else "unknown error"
    return Failure(
        step=step,
        sentence=f"Step {step} failed unexpectedly ({sentence}); the run's page in the UI shows the trace.",
        exit_code=1,
    )
