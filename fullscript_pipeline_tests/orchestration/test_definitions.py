"""The graph that UI, command line and tests share: its keys, its words, its grids."""

import subprocess
import sys
from datetime import date, timedelta

import dagster as dg
import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.build import build_defs
from fullscript_pipeline.orchestration.partitions import days
from fullscript_pipeline.settings import load_settings

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


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs()


def keys_of(defs: dg.Definitions, job: str) -> list[str]:
    return sorted(key.to_user_string() for key in defs.resolve_job_def(job).asset_layer.executable_asset_keys)


def test_jobs_hold_these_assets(defs: dg.Definitions) -> None:
    assert keys_of(defs, "clinic_daily") == CLINIC_KEYS
    assert keys_of(defs, "catalog_daily") == REGION_KEYS
    assert keys_of(defs, "orders_backfill") == ["core/order_line_items", "core/orders"]


def test_a_clinic_run_is_about_a_dozen_steps(defs: dg.Definitions) -> None:
    assert len(defs.resolve_job_def("clinic_daily").all_node_defs) <= 12


def test_every_asset_says_what_it_is_and_whose(defs: dg.Definitions) -> None:
    specs = list(defs.resolve_all_asset_specs())
    assert len(specs) == len(CLINIC_KEYS) + len(REGION_KEYS) <= 60
    for spec in specs:
        assert spec.description
        assert "PHI:" in spec.description, spec.key
        assert spec.owners
        assert spec.kinds
        assert spec.group_name != "default", spec.key
        assert spec.tags["phi"] in {"yes", "no"}


@pytest.mark.parametrize("shift", [-40, -1, 0, 1, 2, 40])
def test_the_last_day_is_the_clocks_today_and_always_a_present_cell(
    monkeypatch: pytest.MonkeyPatch, shift: int
) -> None:
    moment = clock.real_now() + timedelta(days=shift)
    monkeypatch.setenv("FULLSCRIPT_NOW", moment.isoformat())
    last = date.fromisoformat(days(load_settings()).get_last_partition_key() or "")
    assert last == moment.date()
    assert clock.cell_is_open(last, load_settings().time_zone)


def test_importing_the_command_line_does_not_wait_for_dagster() -> None:
    code = "import sys, fullscript_pipeline.cli.main; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
