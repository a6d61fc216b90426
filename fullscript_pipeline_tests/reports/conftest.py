"""Fixtures of the page tests: a warehouse in memory, a store in a temporary folder, and the usual writing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from fullscript_pipeline.files.bucket import BucketFiles
from fullscript_pipeline.reports import PagesWritten, ReportStore, load_page_context, write_adherence_pages
from fullscript_pipeline_tests.helpers import mart_fixtures
from fullscript_pipeline_tests.helpers.page_world import build_page_world
from fullscript_pipeline_tests.helpers.page_writing import Write
from fullscript_pipeline_tests.helpers.s3_server import Bucket


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A pulled clinic and its pages; for tests of check_all."""
    return build_page_world(tmp_path_factory.mktemp("claims"))


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables, one clinic, no patients."""
    connection = mart_fixtures.empty_warehouse()
    yield connection
    connection.close()


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.check_all)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ReportStore:
    """An empty store: a folder, and in `make check-all` a bucket too, whose server keeps each page as the same path."""
    if request.param == "folder":
        return ReportStore(tmp_path / "reports")
    if request.node.get_closest_marker("page_folder"):
        pytest.skip("about the folder")
    bucket: Bucket = request.getfixturevalue("bucket")
    return ReportStore(bucket.folder / "reports", files=BucketFiles(f"{bucket.url}/reports"))


@pytest.fixture
def write(con: duckdb.DuckDBPyConnection, store: ReportStore) -> Write:
    """Writes the clinic's pages at noon of the day, with a pull just before; arguments replace what they name."""

    def writer(**changed: object) -> PagesWritten:
        usual: dict[str, object] = {
            "clinic_id": mart_fixtures.CLINIC,
            "as_of": mart_fixtures.AS_OF,
            "rendered_at": mart_fixtures.NOON,
            "time_zone": ZoneInfo("UTC"),
            "last_pull_at": mart_fixtures.NOON,
        }
        writing = {name: changed.pop(name) for name in ("snoozes", "patient_ids", "progress") if name in changed}
        context = load_page_context(con, **(usual | changed))  # type: ignore[arg-type]
        return write_adherence_pages(con, store, context, **writing)  # type: ignore[arg-type]

    return writer
