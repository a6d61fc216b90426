"""A file of every released version comes to the present one with all it held, wherever the upgrade is killed."""

from pathlib import Path

import pytest

from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades import new_columns
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.released_warehouses import (
    RELEASED,
    count_statements,
    left_by,
    trouble_in,
    upgrade_killed_after,
)
from fullscript_pipeline_tests.helpers.warehouse_loads import put, rows


@pytest.mark.parametrize("version", RELEASED)
def test_a_file_of_a_released_version_keeps_what_it_holds(version: int, tmp_path: Path) -> None:
    warehouse = Warehouse(left_by(version, tmp_path / "w.duckdb"))
    migrate(warehouse, [])
    assert trouble_in(warehouse) == []


def test_an_upgraded_file_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    def described(path: Path) -> list[tuple[str, ...]]:
        with Warehouse(path).read() as con:
            return con.execute(
                "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
                "WHERE NOT internal AND schema_name <> 'marts' AND table_name <> 'category_memberships' ORDER BY ALL"
            ).fetchall()

    old, new = left_by(RELEASED[-1], tmp_path / "old.duckdb"), tmp_path / "new.duckdb"
    migrate(Warehouse(old), [])
    migrate(Warehouse(new), [])
    assert described(old) == described(new)


def test_what_an_upgrade_filled_is_no_change(tmp_path: Path) -> None:
    """Only the plan's own text differs in the next pull, so its lines must not get a second version."""
    warehouse = Warehouse(left_by(RELEASED[-1], tmp_path / "w.duckdb"))
    migrate(warehouse, [])
    plan = {
        "id": "p1", "state": "active", "patient": {"id": "a1"}, "personal_message": "new",
        "resources": [{"id": "r1", "name": "Sleep", "type": "Guide"}],
    }  # fmt: skip
    put(warehouse, TREATMENT_PLANS, [plan], hour=24 * 30)
    assert rows(warehouse, "SELECT count(*) FROM history.treatment_plan_resources WHERE clinic_id = 'c1'") == [(1,)]


def test_a_statement_more_needs_no_version(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, ["CREATE TABLE IF NOT EXISTS marts.thing (a VARCHAR)"])
    with warehouse.write() as con:
        con.execute("INSERT INTO marts.thing VALUES ('kept')")
    migrate(warehouse, ["CREATE TABLE IF NOT EXISTS marts.thing (a VARCHAR, b BIGINT)"])
    assert rows(warehouse, "SELECT a, b FROM marts.thing") == [("kept", None)]


def test_the_present_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    monkeypatch.setattr(new_columns, "plan_upgrade", None)
    migrate(warehouse, [])


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory) -> int:
    return count_statements(RELEASED[-1], tmp_path_factory.mktemp("counted"))


@pytest.mark.parametrize("left", [3, 2, 1, 0])
def test_a_kill_in_an_upgrade_leaves_a_file_that_opens(left: int, statements: int, tmp_path: Path) -> None:
    """In the last transaction, after its commit, after the checkpoint."""
    path = left_by(RELEASED[-1], tmp_path / "w.duckdb")
    upgrade_killed_after(path, statements - left)
    migrate(Warehouse(path), [])
    assert trouble_in(Warehouse(path)) == []
