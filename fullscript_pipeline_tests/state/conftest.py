"""Every test of the state store runs on a SQLite file, and in `make check-all` on a real PostgreSQL too.

A test that is about the file itself, or starts processes that open it, is marked `sqlite_file`. What does not belong
here: tests.
"""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.state import first_connection, store
from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.postgres import PostgresDatabase
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer


@pytest.fixture(autouse=True, params=["sqlite", pytest.param("postgresql", marks=pytest.mark.check_all)])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database that the test's stores are in; on PostgreSQL each path is a schema of its own."""
    if request.param == "postgresql":
        if request.node.get_closest_marker("sqlite_file"):
            pytest.skip("about the file")
        opens = partial(_open_schema, request.getfixturevalue("postgres"))
        for module in (store, first_connection):
            monkeypatch.setattr(module, "open_database", opens)
    return str(request.param)


def _open_schema(server: PostgresServer, address: Path | str, **options: Any) -> Database:
    return PostgresDatabase(server.url_of(str(address)), **options)
