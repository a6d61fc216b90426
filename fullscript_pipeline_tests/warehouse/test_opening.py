"""Which warehouse the settings name, and that nothing of a lake is imported without one."""

import subprocess
import sys
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.warehouse import Warehouse, moved_file, warehouse_of
from fullscript_pipeline.warehouse.duckdb_sql import extension_file

_CODE = """
import sys
import fullscript_pipeline.definitions
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.settings import load_settings
open_warehouse(load_settings())
print("psycopg2" in sys.modules, "fullscript_pipeline.warehouse.lake" in sys.modules)
"""
LAKE = "ducklake:postgres:host=127.0.0.1 port=9 dbname=lake password=canary"


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))


def test_nothing_of_a_lake_is_imported_for_a_file() -> None:
    run = [sys.executable, "-c", _CODE]
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout == "False False\n"


def test_a_file_needs_no_upkeep() -> None:
    warehouse = warehouse_of(load_settings())
    assert (type(warehouse), warehouse.catalog, warehouse.tidy()) == (Warehouse, None, None)


def test_no_empty_file_is_made_where_the_warehouse_was_moved_into_a_lake() -> None:
    settings = load_settings()
    settings.prepare_data_dir()
    moved_file(settings.warehouse_path).touch()
    with pytest.raises(ConfigurationError, match=r"was moved into a lake.*: set FULLSCRIPT_WAREHOUSE_URL"):
        open_warehouse(settings)
    assert not settings.warehouse_path.exists()


@pytest.fixture
def with_lake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", "postgresql://db.example.org/state")
    monkeypatch.setenv("FULLSCRIPT_WAREHOUSE_URL", LAKE)


@pytest.mark.usefixtures("with_lake")
def test_no_empty_lake_is_made_beside_a_file_that_was_filled() -> None:
    settings = load_settings()
    settings.prepare_data_dir()
    settings.warehouse_path.touch()
    with pytest.raises(ConfigurationError, match=r"holds what was pulled before .* migrate-store file") as told:
        open_warehouse(settings, is_moving=False)
    assert "canary" not in str(told.value)


@pytest.mark.usefixtures("with_lake")
def test_without_the_extra_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fullscript_pipeline.warehouse.lake", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'fullscript-pipeline\[distributed\]'"):
        warehouse_of(load_settings())
    with pytest.raises(ConfigurationError, match=r"duckdb-extension-of-nobody is missing: install the extra"):
        extension_file("of_nobody")


@pytest.mark.usefixtures("with_lake")
def test_an_address_that_libpq_does_not_understand_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_WAREHOUSE_URL", "ducklake:postgres:canary")
    with pytest.raises(ConfigurationError, match="write it as ducklake:postgres:dbname=DATABASE") as told:
        warehouse_of(load_settings())
    assert "canary" not in str(told.value)
