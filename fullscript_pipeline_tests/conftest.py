"""What holds for every test: a module leaves the environment as it found it, and a run begins in a new code location.

What does not belong here: fixtures of one room.
"""

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
    from fullscript_pipeline_tests.helpers.redis_server import RedisServer
    from fullscript_pipeline_tests.helpers.s3_server import Bucket, S3Server

# pytest's own, and what opening an instance sets for Dagster.
_MAY_CHANGE = {"PYTEST_CURRENT_TEST", "DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE"}
_MAY_CHANGE |= {"DAGSTER_HISTORY_URL", "DAGSTER_RUNS_BROKER"}


def _unload_code_location() -> None:
    """A code location is loaded once per process, and one process never changes its environment: tests do."""
    if sys.modules.pop("fullscript_pipeline.definitions", None):
        from dagster._core.definitions.reconstruct import ReconstructableJob  # noqa: PLC0415 - a second to import

        ReconstructableJob.get_repository_definition.cache_clear()
        ReconstructableJob.get_definition.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def _environment_is_left_as_it_was() -> Iterator[None]:
    """A clock or a data directory that one module leaves behind makes another one fail, or pass."""
    _unload_code_location()
    before = dict(os.environ)
    yield
    changed = {name for name, _ in before.items() ^ os.environ.items()} - _MAY_CHANGE
    os.environ.clear()
    os.environ.update(before)
    assert not changed, f"These variables were left behind: {', '.join(sorted(changed))}."


@pytest.fixture(autouse=True)
def _code_location_is_loaded_anew() -> None:
    _unload_code_location()


@pytest.fixture(scope="session")
def postgres() -> Iterator["PostgresServer"]:
    """A real PostgreSQL; the test skips where none is installed."""
    from fullscript_pipeline_tests.helpers.postgres_server import running_postgres  # noqa: PLC0415 - few need it

    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator["S3Server"]:
    """A real S3 server; the test skips where none is installed."""
    from fullscript_pipeline_tests.helpers.s3_server import running_s3  # noqa: PLC0415 - few need it

    with running_s3() as server:
        yield server


@pytest.fixture(scope="session")
def queue() -> Iterator["RedisServer"]:
    """A real Redis; the test skips where none is installed."""
    from fullscript_pipeline_tests.helpers.redis_server import running_redis  # noqa: PLC0415 - few need it

    with running_redis() as server:
        yield server


@pytest.fixture
def bucket(s3: "S3Server", monkeypatch: pytest.MonkeyPatch) -> "Bucket":
    """A bucket of the test's own; AWS's variables lead to its server."""
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    return s3.new_bucket()
