"""Servers that are restarted while workers pull: PostgreSQL, Redis and the S3 server, one after the other.

Daemon and workers that end are started again, as systemd and Docker do. What does not belong here: how often, and what
is promised of it.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import dagster as dg
from dagster._core.storage.tags import PARENT_RUN_ID_TAG
from sqlalchemy.exc import OperationalError

from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.warehouse.lake import Lake
from fullscript_pipeline_tests.compare.compare_sandbox import read_truth
from fullscript_pipeline_tests.compare.comparison import Compared, compare
from fullscript_pipeline_tests.helpers.machines import Machines, machines
from fullscript_pipeline_tests.helpers.server_program import ServerProgram
from fullscript_pipeline_tests.helpers.wait_until import wait

Answer = TypeVar("Answer")
_TABLES = {"patients", "treatment_plans", "recommendations", "orders", "order_line_items", "lab_orders"}
_AWAY_SECONDS = 2.0
_BETWEEN_SECONDS = 5.0
_LONGEST_SECONDS = 1200


def restarts_beside_pulls(
    folder: Path, *, servers: Sequence[ServerProgram], times: int, clinics: int, workers: int
) -> dict[str, float]:
    """Restarts each server so often while each clinic's day is pulled again and again, and then once in peace."""
    with machines(folder, clinics=clinics, patients=8, workers=workers) as made:
        keys = [clinic.clinic_key for clinic in made.connected.store.clinics.all()]
        began, runs, started_again = time.monotonic(), {key: made.submit(key) for key in keys}, 0
        for server in itertools.islice(itertools.cycle(servers), times * len(servers)):
            server.restart(away_seconds=_AWAY_SECONDS)
            time.sleep(_BETWEEN_SECONDS)
            started_again += made.start_again_what_ended()
            for key in keys:
                if _answered(partial(_is_over, made, runs[key])):
                    runs[key] = _answered(partial(made.submit, key))
        seconds = time.monotonic() - began
        wait(lambda: all(_is_over(made, run_id) for run_id in runs.values()), _LONGEST_SECONDS, 1)
        made.start_again_what_ended()
        last = [made.submit(key) for key in keys]
        in_peace = sum(made.ends_as(run_id, dg.DagsterRunStatus.SUCCESS) for run_id in last)
        ended = [record.status for record in made.instance.get_runs()]
        tables = _compared(made)
        return {
            "restarts": times * len(servers),
            "seconds": seconds,
            "runs": len(ended),
            "failed": sum(status is dg.DagsterRunStatus.FAILURE for status in ended),
            "processes_started_again": started_again,
            "in_peace": in_peace,
            "rows": sum(table.rows for table in tables),
            "lost": sum(table.missing + table.different for table in tables),
            "doubled": sum(table.extra for table in tables),
        }


def _is_over(made: Machines, run_id: str) -> bool:
    """Whether the run has ended, and the daemon will not start it again."""
    run = made.run(run_id)
    if not run.is_finished:
        return False
    again = made.instance.get_runs(dg.RunsFilter(tags={PARENT_RUN_ID_TAG: run_id}))
    if again:
        return _is_over(made, again[0].run_id)
    return run.status is not dg.DagsterRunStatus.FAILURE or run.tags.get("dagster/will_retry") != "true"


def _compared(made: Machines) -> list[Compared]:
    """The tables of people, held against the API."""
    lake = open_warehouse(made.connected.settings)
    assert isinstance(lake, Lake)
    with lake.read() as con:
        tables = compare(con, read_truth(made.connected))
    lake.close_if_unused()
    return [table for table in tables if table.table in _TABLES]


def _answered(ask: Callable[[], Answer]) -> Answer:
    """The answer, where PostgreSQL may be about to come back."""
    for _ in range(20):
        try:
            return ask()
        except OperationalError:
            time.sleep(0.5)
    return ask()
