"""A Dagster instance with a long history: rows of runs that ended, written straight into its file.

What does not belong here: runs whose steps matter (`pipeline`).
"""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.build import build_defs
from fullscript_pipeline.orchestration.automation.refresh_requests import run_config
from fullscript_pipeline.refresh import RefreshRequest
from fullscript_pipeline.settings import load_settings

_RUN = """INSERT INTO runs
    (run_id, snapshot_id, pipeline_name, mode, status, run_body, create_timestamp, update_timestamp) VALUES
    (?, ?, 'clinic_refresh', 'default', 'SUCCESS', ?, ?, ?)"""


def add_runs(instance: dg.DagsterInstance, number: int, *, clinics: int = 50, days: float = 2.9) -> None:
    """`number` successful refreshes of `clinics` clinics, spread evenly over the last `days`."""
    job = build_defs(load_settings).resolve_job_def("clinic_refresh")
    pattern = instance.create_run_for_job(
        job, run_config=run_config(RefreshRequest(clinic_key="x", event_ids=())), status="SUCCESS"
    )
    with closing(sqlite3.connect(Path(instance.root_directory) / "history/runs.db", timeout=30)) as runs:
        body, snapshot = runs.execute(
            "SELECT run_body, snapshot_id FROM runs WHERE run_id = ?", [pattern.run_id]
        ).fetchone()
        run_ids = [str(uuid.uuid4()) for _ in range(number)]
        now = clock.real_now()
        times = (f"{now - timedelta(days=days) * (1 - place / number):%Y-%m-%d %H:%M:%S}" for place in range(number))
        rows = (
            (run, snapshot, body.replace(pattern.run_id, run), at, at) for run, at in zip(run_ids, times, strict=True)
        )
        runs.executemany(_RUN, rows)
        runs.executemany("INSERT INTO run_tags (run_id, key, value) VALUES (?, ?, ?)", _tags(run_ids, clinics))
        runs.commit()


def _tags(runs: list[str], clinics: int) -> Iterator[tuple[str, str, str]]:
    """As many as the daemon's runs have."""
    for place, run in enumerate(runs):
        yield run, "fullscript/clinic", f"clinic-{place % clinics}"
        yield run, "dagster/run_key", run
        yield run, "dagster/sensor_name", "clinic_events_sensor"
        yield run, "dagster/code_location", "fullscript_pipeline"
        yield run, "dagster/repository", "__repository__"
        yield run, ".dagster/repository", "__repository__@fullscript_pipeline"
