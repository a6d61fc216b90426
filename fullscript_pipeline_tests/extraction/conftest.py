"""A clinic's cell of today in a fresh warehouse, for tests that bring their own server."""

from datetime import UTC
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.api_sessions import CLINIC


@pytest.fixture
def target(tmp_path: Path) -> Target:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    day = clock.now().astimezone(UTC).date()
    return Target(
        warehouse=warehouse,
        landing_dir=tmp_path / "landing",
        encryption_key=None,
        server=CLINIC.server,
        region=CLINIC.region,
        day=day,
        run_id="run",
        clinic=CLINIC,
    )
