"""What `doctor` says of runs: which failures are open, and that a long history costs it nothing."""

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from fullscript_pipeline.health.runs import _FAILED, check_runs
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.many_runs import add_runs


def steps(instance: dg.DagsterInstance) -> int:
    """What the query costs, counted in hundreds of instructions of SQLite's machine: the same on any computer."""
    counted = [0]

    def count() -> int:
        counted[0] += 1
        return 0

    with closing(sqlite3.connect(Path(instance.root_directory) / "history/runs.db")) as runs:
        runs.set_progress_handler(count, 100)
        (since,) = runs.execute("SELECT datetime('now', '-3 days')").fetchone()
        assert runs.execute(_FAILED, {"since": since}).fetchall() == []
    return counted[0]


def test_doctor_looks_at_each_run_of_these_days_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "set by open_instance")
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    settings = load_settings()
    with open_instance(settings) as instance:
        add_runs(instance, 500)
        few = steps(instance)
        add_runs(instance, 1500)
        many = steps(instance)
        add_runs(instance, 4000, days=300)
        with_old_ones = steps(instance)
        assert [one.state for one in check_runs(settings, None)] == ["pass"]
    assert many < 6 * few
    # 40 of them are of the last three days.
    assert with_old_ones < 1.2 * many


def test_what_was_launched_from_an_assets_page_is_over_after_a_pull(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(job: str, status: dg.DagsterRunStatus) -> None:
        tags = {"dagster/partition/clinic": "maple"}
        instance.add_run(dg.DagsterRun(job, str(uuid.uuid4()), status=status, tags=tags))

    monkeypatch.setenv("DAGSTER_HOME", "set by open_instance")
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    settings = load_settings()
    with open_instance(settings) as instance:
        finish("__ASSET_JOB", dg.DagsterRunStatus.FAILURE)
        (found,) = check_runs(settings, None)
        assert found.state == "warn" and "materialize maple (run " in found.what
        finish("clinic_refresh", dg.DagsterRunStatus.SUCCESS)
        assert [finding.state for finding in check_runs(settings, None)] == ["warn"], "a refresh is no pull"
        finish("clinic_daily", dg.DagsterRunStatus.SUCCESS)
        assert [finding.state for finding in check_runs(settings, None)] == ["pass"]
