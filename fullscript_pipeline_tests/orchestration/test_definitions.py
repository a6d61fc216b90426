"""The graph that UI, command line and tests share: its keys, its words, its grids."""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.build import build_defs
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.assets import CLINIC_ASSETS, columns_elsewhere, table_columns
from fullscript_pipeline.orchestration.assets.clinic_asset import steps_before
from fullscript_pipeline.orchestration.assets.column_lineage import column_lineage
from fullscript_pipeline.orchestration.assets.freshness import CURRENT_WITHIN, WRITTEN_BY_EVERY_RUN
from fullscript_pipeline.orchestration.checks import OPERATIONS
from fullscript_pipeline.orchestration.runtime.partitions import daily_partitions
from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.settings import load_settings

# What others rely on (docs/architecture.md); the grids hold more.
CLINIC_KEYS = [
    "core/clinic_variants",
    "core/clinics",
    "core/events",
    "core/lab_order_results",
    "core/lab_order_tests",
    "core/lab_orders",
    "core/order_line_items",
    "core/orders",
    "core/patients",
    "core/practitioners",
    "core/recommendations",
    "core/staff",
    "core/treatment_plans",
    "marts/adherence",
    "marts/adherence_gaps",
    "marts/adherence_timeline",
    "reports/adherence",
]
REGION_KEYS = [
    "core/allergens",
    "core/brands",
    "core/categories",
    "core/category_products",
    "core/ingredients",
    "core/practitioner_types",
    "core/products",
    "core/supplement_types",
    "core/third_party_certifications",
    "core/variants",
    "marts/catalog_changes",
    "reports/catalog_digest",
]
GROUPS = {"catalog", "clinical", "commerce", "labs", "events", "adherence", "reports", "operations"}


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs(load_settings)


def keys_of(defs: dg.Definitions, job: str) -> list[str]:
    return sorted(key.to_user_string() for key in defs.resolve_job_def(job).asset_layer.executable_asset_keys)


def test_jobs_hold_these_assets(defs: dg.Definitions) -> None:
    assert set(CLINIC_KEYS) <= set(keys_of(defs, "clinic_daily"))
    assert set(REGION_KEYS) <= set(keys_of(defs, "catalog_daily"))
    assert keys_of(defs, "orders_backfill") == ["core/order_line_items", "core/orders"]


def test_every_table_is_an_asset_and_the_reverse(defs: dg.Definitions) -> None:
    shown = {spec.key.path[-1] for spec in defs.resolve_all_asset_specs() if spec.key.path[0] == "core"}
    assert {table.name for table in ALL_TABLES} <= shown
    assert {f"core.{name}" for name in shown} <= table_columns().keys()


def test_a_clinic_run_is_about_a_dozen_steps_and_their_checks(defs: dg.Definitions) -> None:
    nodes = [node.name for node in defs.resolve_job_def("clinic_daily").all_node_defs]
    assert len([name for name in nodes if name in {asset.op.name for asset in CLINIC_ASSETS}]) <= 12
    assert len(nodes) <= 20


def test_every_asset_says_what_it_is_and_whose(defs: dg.Definitions) -> None:
    specs = list(defs.resolve_all_asset_specs())
    assert len(specs) <= 60
    assert {spec.group_name for spec in specs} == GROUPS
    for spec in specs:
        assert spec.description
        assert "PHI:" in spec.description, spec.key
        assert spec.owners
        assert spec.kinds
        assert spec.tags["phi"] in {"yes", "no"}


def test_every_asset_shows_its_columns_and_its_code(defs: dg.Definitions) -> None:
    for spec in defs.resolve_all_asset_specs():
        columns = spec.metadata["dagster/column_schema"].columns
        assert columns, spec.key
        if spec.key.path[0] in {"core", "marts"}:
            assert {"clinic_id", "region"} & {column.name for column in columns}, spec.key
            assert spec.metadata["dagster/table_name"] == ".".join(spec.key.path)
        reference = spec.metadata["dagster/code_references"].code_references[0]
        code = Path(reference.file_path).read_text(encoding="utf-8").splitlines()[reference.line_number - 1]
        assert code.startswith(("@", "def ", "class ", "    ")), (spec.key, code)
        assert ("orchestration/assets/" in reference.file_path) == (spec.group_name != "operations"), spec.key


def test_the_columns_shown_are_those_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    with open_warehouse(load_settings()).read() as con:
        rows = con.execute(
            "SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = 'warehouse'"
        ).fetchall()
    real: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        real.setdefault(table, {})[column] = kind.replace(" WITH TIME ZONE", "TZ")
    assert {name: dict(columns) for name, columns in table_columns().items()} == {
        name: real[name] for name in table_columns()
    }


def test_every_check_says_what_to_do(defs: dg.Definitions) -> None:
    checks = [spec for one in defs.asset_checks or () for spec in one.check_specs]
    assert len(checks) >= 15
    for spec in checks:
        assert "what to do" in (spec.description or "").lower(), spec.key
    blocking = {f"{spec.asset_key.path[-1]}: {spec.name}" for spec in checks if spec.blocking}
    assert {"treatment_plans: keys_are_unique", "orders: keys_are_unique", "adherence: figures_can_be_true"} <= blocking


def test_columns_come_from_columns_that_there_are_of_tables_that_the_graph_names(defs: dg.Definitions) -> None:
    known = {**table_columns(), **columns_elsewhere()}
    found = 0
    for spec in defs.resolve_all_asset_specs():
        for metadata in column_lineage(spec.key.to_user_string()).values():
            lineage = metadata.value
            assert isinstance(lineage, dg.TableColumnLineage)
            assert lineage.deps_by_column.keys() <= known[".".join(spec.key.path)].keys(), spec.key
            for dep in (one for deps in lineage.deps_by_column.values() for one in deps):
                assert dep.column_name in known[".".join(dep.asset_key.path)], dep
                assert dep.asset_key in {one.asset_key for one in spec.deps}, (spec.key, dep)
            found += 1
    assert found >= 10


def test_every_asset_is_late_when_the_check_says_so(defs: dg.Definitions) -> None:
    policies: list[Any] = [spec.freshness_policy for spec in defs.resolve_all_asset_specs()]
    assert {policy.fail_window.to_timedelta() for policy in policies} == {CURRENT_WITHIN}
    assert {spec.key.to_user_string() for spec in OPERATIONS} == set(WRITTEN_BY_EVERY_RUN)


def test_an_edge_is_no_order_of_work(defs: dg.Definitions) -> None:
    """A list that the vendor sends is made from no other table; the job still reads it after its clinic."""
    deps = {
        spec.key.to_user_string(): {dep.asset_key.path[-1] for dep in spec.deps}
        for spec in defs.resolve_all_asset_specs()
    }
    for table in (
        "clinics",
        "patients",
        "practitioners",
        "staff",
        "orders",
        "events",
        "lab_orders",
        "webhook_deliveries",
    ):
        assert deps[f"core/{table}"] == set(), table
    assert deps["core/clinic_variants"] == {"recommendations", "order_line_items"}
    assert deps["core/treatment_plans"] == {"patients"}
    assert steps_before("patients") == {"clinic"}
    assert steps_before("treatment_plans") == {"clinic", "patients", "events", "orders", "labs"}
    assert steps_before("a_step_of_its_own") == {"clinic"}


@pytest.mark.parametrize("shift", [-40, -1, 0, 1, 2, 40])
def test_the_last_day_is_the_clocks_today_and_always_a_present_cell(
    monkeypatch: pytest.MonkeyPatch, shift: int
) -> None:
    moment = clock.real_now() + timedelta(days=shift)
    monkeypatch.setenv("FULLSCRIPT_NOW", moment.isoformat())
    last = date.fromisoformat(daily_partitions(load_settings()).get_last_partition_key() or "")
    assert last == moment.date()
    assert clock.cell_is_open(last, load_settings().time_zone)


def test_importing_the_command_line_does_not_wait_for_dagster() -> None:
    code = "import sys, fullscript_pipeline.cli.main; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
