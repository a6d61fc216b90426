"""A clinic's day with the state store and Dagster's history on a real PostgreSQL, and nothing of either in a file."""

from datetime import date
from pathlib import Path

import pytest

from fullscript_pipeline.health import check_all
from fullscript_pipeline.orchestration.runtime.in_process_runs import run_job
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer


@pytest.mark.check_all
def test_a_clinics_day_leaves_its_history_on_postgres(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", postgres.url_of(str(tmp_path)))
    with connected_pipeline(tmp_path, clinics=1, patients=6, products=10) as connected:
        (clinic,) = connected.store.clinics.all()
        with open_instance(connected.settings) as instance:
            add_clinic_partitions(instance, connected.store)
            partition = clinic_partition(clinic.clinic_key, date(2026, 11, 22))
            assert run_job(instance, "clinic_daily", partition=partition).failures == ()
            connected.sandbox.control.arm("forbidden", endpoint="/clinic/patients", count=None)
            failed = run_job(instance, "clinic_daily", partition=partition).failures
            connected.sandbox.control.disarm()
            assert instance.get_runs_count() == 2
        found = {finding.id: finding for finding in check_all(connected.settings)}
        assert found["state.store"].state == "pass"
        assert "without TLS" in found["state.store"].what
        assert (found["runs.failed"].state == "warn") == bool(failed)
        home = connected.settings.dagster_home
        assert not connected.settings.state_path.exists()
        assert list(home.rglob("*.db")) == []
        assert "postgres:" in (home / "dagster.yaml").read_text()
        assert "tests@" not in (home / "dagster.yaml").read_text()
