"""The small files of a lake are joined before there are many of them, with and without the daemon."""

import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from fullscript_pipeline.cli.main import main
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.orchestration.automation.jobs import clinic_daily
from fullscript_pipeline.orchestration.automation.lake_upkeep_job import lake_upkeep, lake_upkeep_sensor
from fullscript_pipeline.orchestration.runtime import make_resources, open_instance
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.warehouse.lake import Lake
from fullscript_pipeline_tests.helpers.lakes import lake_catalog
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer


def _tick(instance: dg.DagsterInstance) -> SensorExecutionData:
    resources = make_resources(load_settings)
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        return lake_upkeep_sensor.evaluate_tick(context)


def test_a_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    with open_instance(load_settings()) as instance:
        assert _tick(instance).skip_message == "No table of a lake has many small files."


def test_it_goes_before_the_clinics_of_a_night() -> None:
    """In a queue of fifty clinics it would be the last, when nobody needs it."""
    upkeep, clinic = (int((job.tags or {}).get("dagster/priority", "0")) for job in (lake_upkeep, clinic_daily))
    assert upkeep > clinic


@pytest.mark.check_all
def test_the_sensor_requests_one_upkeep_and_a_pull_does_it_by_itself(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", postgres.url_of(str(tmp_path)))
    monkeypatch.setenv("FULLSCRIPT_WAREHOUSE_URL", f"ducklake:postgres:{lake_catalog(postgres, str(tmp_path))}")
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", (tmp_path / "shared").as_uri())
    monkeypatch.setattr("fullscript_pipeline.warehouse.lake.MANY_FILES", 5)
    with (
        connected_pipeline(tmp_path, clinics=1, world_clinics=1, patients=5, products=10) as connected,
        open_instance(connected.settings) as instance,
    ):
        warehouse = open_warehouse(connected.settings)
        assert isinstance(warehouse, Lake)
        for number in range(5):
            assert _tick(instance).run_requests == []
            with warehouse.write() as con:
                con.execute("INSERT INTO ops.purges (kind, subject) VALUES ('patient', ?)", [str(number)])
        assert len(_tick(instance).run_requests or []) == 1
        for status, says in {
            dg.DagsterRunStatus.FAILURE: "The upkeep of the lake failed less than an hour ago; its run says why.",
            dg.DagsterRunStatus.STARTED: "The upkeep of the lake is going on.",
        }.items():
            instance.create_run_for_job(lake_upkeep, status=status)
            assert _tick(instance).skip_message == says
        monkeypatch.setattr(sys, "argv", ["fullscript-pipeline", "pull", "--only", "patients"])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert (stopped.value.code or 0, warehouse.has_many_files()) == (0, False)
        warehouse.close_if_unused()
