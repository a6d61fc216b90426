"""A migrated warehouse per test; DDL is run once and the file copied.

What does not belong here: rows (`warehouse_loads`).
"""

import shutil
from pathlib import Path

import pytest

from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("warehouse") / "empty.duckdb"
    migrate(Warehouse(path), [])
    detach_all()
    return path


@pytest.fixture
def warehouse(empty_file: Path, tmp_path: Path) -> Warehouse:
    shutil.copy(empty_file, tmp_path / "w.duckdb")
    return Warehouse(tmp_path / "w.duckdb", lock_wait=5)
