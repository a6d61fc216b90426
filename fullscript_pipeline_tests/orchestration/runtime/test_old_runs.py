"""Runs go after their retention time, and nothing that the grid shows goes with them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from sqlalchemy import func, select, update

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.old_runs import old_runs_sensor, remove_old_runs
from fullscript_pipeline.orchestration.runtime.resources import make_resources
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer

ON_POSTGRES = pytest.mark.parametrize("instance", ["postgres"], indirect=True)
KEY, CLINICS = dg.AssetKey(["core", "made_up"]), dg.StaticPartitionsDefinition(["one", "two", "three"])


@dg.asset(
    key=KEY,
    partitions_def=CLINICS,
    check_specs=[dg.AssetCheckSpec("is_sound", asset=KEY)],
)
def made_up(context: dg.AssetExecutionContext) -> Iterator[Any]:
    if context.partition_key == "three":
        raise dg.Failure("It could not be made.")
    context.log_event(dg.AssetObservation(KEY, partition=context.partition_key, metadata={"seen": 1}))
    yield dg.AssetCheckResult(passed=True, check_name="is_sound")
    yield dg.MaterializeResult(asset_key=KEY, metadata={"rows": 3})


@pytest.fixture
def instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[dg.DagsterInstance]:
    """With its history in files, unless the test asks for PostgreSQL (`ON_POSTGRES`)."""
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    if getattr(request, "param", "files") == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        monkeypatch.setenv("FULLSCRIPT_STATE_URL", server.url_of(str(tmp_path)))
    opened = open_instance(load_settings())
    for key in CLINICS.get_partition_keys():
        dg.materialize([made_up], instance=opened, partition_key=key, raise_on_error=False, tags={"a": "tag"})
    yield opened
    opened.dispose()


def grid(instance: dg.DagsterInstance) -> tuple[object, ...]:
    """What the pages of an asset and its check read; the status of partitions anew from the events."""
    instance.wipe_asset_cached_status([KEY])
    check: list[AssetCheckExecutionRecord] = list(
        instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(KEY, "is_sound"), limit=10)
    )
    status = get_and_update_asset_status_cache_value(instance, KEY, CLINICS)
    return (
        instance.get_materialized_partitions(KEY),
        [str(record.asset_materialization) for record in instance.fetch_materializations(KEY, limit=10).records],
        [str(record.asset_observation) for record in instance.fetch_observations(KEY, limit=10).records],
        [(record.run_id, record.status, str(record.event)) for record in check],
        status and status.deserialize_materialized_partition_subsets(CLINICS),
        status and status.deserialize_failed_partition_subsets(CLINICS),
    )


def age(instance: dg.DagsterInstance, days: int) -> None:
    moment = (clock.real_now() - timedelta(days=days)).replace(tzinfo=None)
    with _runs(instance).connect() as connection:
        connection.execute(update(RunsTable).values(update_timestamp=moment))


def _runs(instance: dg.DagsterInstance) -> SqlRunStorage:
    assert isinstance(instance.run_storage, SqlRunStorage)
    return instance.run_storage


def kept_events(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """The kinds of events that are stored of other runs than this one."""
    kind, events = SqlEventLogStorageTable.c.dagster_event_type, instance.event_log_storage
    assert isinstance(events, SqlEventLogStorage)
    with events.index_connection() as connection:
        rows = connection.execute(select(kind).distinct().where(SqlEventLogStorageTable.c.run_id != run_id))
        return sorted(map(str, rows.scalars()))


def files(instance: dg.DagsterInstance) -> set[str]:
    folder = Path(instance.root_directory) / "history" / "runs"
    return {path.name for path in folder.glob("*.db")} - {"index.db"}


def test_old_runs_go_and_the_grid_stays(instance: dg.DagsterInstance) -> None:
    before = grid(instance)
    assert (len(instance.get_runs()), len(files(instance))) == (3, 3)
    age(instance, 59)
    assert remove_old_runs(instance, 60) == 0
    age(instance, 61)
    assert remove_old_runs(instance, 0) == 0
    assert remove_old_runs(instance, 60) == 2
    (left,) = instance.get_runs()
    assert left.status is dg.DagsterRunStatus.FAILURE
    assert files(instance) == {f"{left.run_id}.db"}
    assert grid(instance) == before
    assert kept_events(instance, left.run_id) == ["ASSET_MATERIALIZATION", "ASSET_OBSERVATION"]
    with _runs(instance).connect() as connection:
        tagged = connection.execute(select(func.count(func.distinct(RunTagsTable.c.run_id)))).scalar()
    assert tagged == 1
    assert remove_old_runs(instance, 60) == 0


@pytest.mark.check_all
@ON_POSTGRES
def test_old_runs_go_from_postgres_and_the_grid_stays(instance: dg.DagsterInstance) -> None:
    before = grid(instance)
    age(instance, 61)
    assert remove_old_runs(instance, 60) == 2
    (left,) = instance.get_runs()
    assert left.status is dg.DagsterRunStatus.FAILURE
    assert grid(instance) == before
    assert kept_events(instance, left.run_id) == ["ASSET_MATERIALIZATION", "ASSET_OBSERVATION"]


def test_failed_runs_are_kept_three_times_as_long(instance: dg.DagsterInstance) -> None:
    before = grid(instance)
    age(instance, 181)
    assert remove_old_runs(instance, 60) == 3
    assert (instance.get_runs(), files(instance)) == ([], set())
    assert grid(instance)[:5] == before[:5]


def test_the_sensor_says_what_it_removed(instance: dg.DagsterInstance) -> None:
    age(instance, 61)
    with dg.build_sensor_context(instance=instance, resources=make_resources(load_settings)) as context:
        first, second = (old_runs_sensor.evaluate_tick(context).skip_message for _ in range(2))
    assert first == "Removed 2 runs, which ended more than 60 days ago."
    assert second == "No run ended more than 60 days ago."
