"""docs/adding-a-resource.md, followed to the letter: its blocks run, and the table is whole, twice the same."""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from fullscript_pipeline.build import build_defs
from fullscript_pipeline.orchestration.runtime.partitions import clinic_cell
from fullscript_pipeline.orchestration.runtime.resources import FullscriptResource, WarehouseResource
from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.warehouse.upgrades import migrations, new_columns
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline
from fullscript_pipeline_tests.helpers.sandbox_server import START

PAGE = Path(__file__).parents[1] / "docs" / "adding-a-resource.md"


def test_the_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    made: dict[str, Any] = {"__name__": "example"}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{PAGE.name}, block {number + 1}", "exec"), made)  # noqa: S102 - our own page
    for module in (migrations, new_columns):
        monkeypatch.setattr(module, "ALL_TABLES", (*ALL_TABLES, made["TEAM"]))
    with (
        connected_pipeline(tmp_path, clinics=1, patients=5, products=20) as connected,
        dg.instance_for_test() as dagster,
    ):
        key = connected.store.clinics()[0].clinic_key
        dagster.add_dynamic_partitions("clinics", [key])
        counts = [_counts(made["team"], dagster, clinic_cell(key, START)) for _ in range(2)]
        with connected.sandbox.client(next(iter(connected.sandbox.clinics))) as client:
            listed = {one["id"]: one["first_name"] for one in client.get("clinic/staff").json()["staff"]}
        with WarehouseResource().open().read() as con:
            stored = dict(con.execute("SELECT member_id, first_name FROM core.team").fetchall())
    assert stored == listed
    assert [one["rows_added"] for one in counts] == [len(listed), 0]


def _counts(asset: dg.AssetsDefinition, instance: dg.DagsterInstance, cell: str) -> dict[str, Any]:
    resources = {"fullscript": FullscriptResource(), "warehouse": WarehouseResource()}
    done = dg.materialize([asset], partition_key=cell, instance=instance, resources=resources)
    assert done.success
    event = next(iter(done.get_asset_materialization_events()))
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_the_project_builds_without_the_example() -> None:
    """The page speaks of a table that must not be in the real graph."""
    assert dg.AssetKey(["core", "team"]) not in build_defs().resolve_asset_graph().get_all_asset_keys()
