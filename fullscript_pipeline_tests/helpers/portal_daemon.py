"""The daemon's part in a test of the portal: a tick of its sensor, and the runs that a tick requests.

What does not belong here: assertions.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
import pytest

from fullscript_pipeline.orchestration.automation.portal_requests import portal_requests_sensor
from fullscript_pipeline.orchestration.runtime import Outcome
from fullscript_pipeline.orchestration.runtime.in_process_runs import run_job
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.resources import make_resources
from fullscript_pipeline.settings import load_settings


@dataclass
class PortalDaemon:
    """The pipeline's own process, which has the encryption key."""

    instance: dg.DagsterInstance

    def tick(self) -> list[dg.RunRequest]:
        """The runs that the sensor requests now; their clinics have partitions."""
        with dg.build_sensor_context(instance=self.instance, resources=make_resources(load_settings)) as context:
            outcome = portal_requests_sensor(context)
        if not isinstance(outcome, dg.SensorResult):
            return []
        for added in outcome.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions(added.partitions_def_name, list(added.partition_keys))
        return list(outcome.run_requests or [])

    def run(self, request: dg.RunRequest) -> Outcome:
        return run_job(
            self.instance,
            str(request.job_name),
            partition=request.partition_key,
            run_config=request.run_config,
            tags=request.tags,
        )


@contextmanager
def portal_daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[PortalDaemon]:
    """The environment of the pipeline while the block runs; the portal's process does not read it any more."""
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "a key")
    with open_instance(load_settings()) as instance:
        yield PortalDaemon(instance)
