"""A long history of runs costs `doctor` nothing, and many runs of these days no more than each its share."""

import sqlite3
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
        since = runs.execute("SELECT datetime('now', '-3 days')").fetchone()
        assert runs.execute(_FAILED, since).fetchall() == []
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
