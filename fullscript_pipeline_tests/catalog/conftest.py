"""Fixtures: an empty catalog history in memory."""

from collections.abc import Iterator

import duckdb
import pytest

from fullscript_pipeline_tests.helpers import catalog_history


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Empty tables."""
    connection = catalog_history.warehouse()
    yield connection
    connection.close()
