"""A backfill over days that are over: it ends well where no run failed, and stays as it is where one did.

What does not belong here: what Dagster itself makes of such a backfill (`test_browser_ui` clicks through one).
"""

import uuid
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.assets import CLOSED_DAY_TAG
from fullscript_pipeline.orchestration.automation.closed_backfills import closed_backfills_sensor

OVER, OPEN = "2026-11-22", "2026-11-23"


@dg.asset(partitions_def=dg.StaticPartitionsDefinition([OVER, OPEN]))
def clinics() -> None:
    """A table of the present."""


DEFS = dg.Definitions(assets=[clinics])
GRAPH = DEFS.resolve_asset_graph()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as found:
        yield found


def cells(*days: str) -> AssetGraphSubset:
    return AssetGraphSubset.from_asset_partition_set({AssetKeyPartitionKey(clinics.key, day) for day in days}, GRAPH)


def ended_badly(instance: dg.DagsterInstance, status: str, **tags: str) -> str:
    """A backfill of both days that Dagster called failed; how the run of the day that is over ended, and its tags."""
    backfill = PartitionBackfill.from_asset_graph_subset(
        backfill_id=uuid.uuid4().hex[:8], backfill_timestamp=clock.real_now().timestamp(), tags={},
        dynamic_partitions_store=instance, asset_graph_subset=cells(OVER, OPEN),
        title=None, description=None, run_config=None,
    )  # fmt: skip
    data = backfill.get_asset_backfill_data(GRAPH)._replace(
        requested_subset=cells(OVER, OPEN), materialized_subset=cells(OPEN), failed_and_downstream_subset=cells(OVER)
    )
    stored = backfill.with_asset_backfill_data(data, dynamic_partitions_store=instance, asset_graph=GRAPH)
    instance.add_backfill(stored._replace(status=BulkActionStatus.COMPLETED_FAILED))
    for day, end, more in ((OPEN, "SUCCESS", {}), (OVER, status, tags)):
        of_run = {"dagster/backfill": backfill.backfill_id, "dagster/partition": day, **more}
        run = dg.DagsterRun("__ASSET_JOB", str(uuid.uuid4()), tags=of_run, status=dg.DagsterRunStatus(end))
        instance.add_run(run)
    return str(backfill.backfill_id)


def after_a_tick(instance: dg.DagsterInstance, backfill_id: str) -> PartitionBackfill:
    repository = DEFS.get_repository_def()
    with dg.build_sensor_context(instance=instance, repository_def=repository) as context:
        closed_backfills_sensor(context)
    found = instance.get_backfill(backfill_id)
    assert found is not None
    return found


def test_it_ends_well_and_is_of_the_day_that_could_be_made(instance: dg.DagsterInstance) -> None:
    backfill = after_a_tick(instance, ended_badly(instance, "SUCCESS", **{CLOSED_DAY_TAG: OVER}))
    assert backfill.status is BulkActionStatus.COMPLETED_SUCCESS
    data = backfill.get_asset_backfill_data(GRAPH)
    assert data.target_subset == data.requested_subset == data.materialized_subset == cells(OPEN)
    assert data.failed_and_downstream_subset.is_empty


@pytest.mark.parametrize(
    ("status", "tags"), [("FAILURE", {CLOSED_DAY_TAG: OVER}), ("SUCCESS", {})], ids=["a run failed", "not over"]
)
def test_it_stays_failed_where_something_failed(
    instance: dg.DagsterInstance, status: str, tags: dict[str, str]
) -> None:
    backfill = after_a_tick(instance, ended_badly(instance, status, **tags))
    assert backfill.status is BulkActionStatus.COMPLETED_FAILED
