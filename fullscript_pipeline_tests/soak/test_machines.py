"""Promise 43: several machines are as one. Pulls that go on elsewhere, and a night that four workers share."""

import signal
from pathlib import Path

import pytest

from fullscript_pipeline_tests.drills import kill_drill
from fullscript_pipeline_tests.drills.days_drill import tables_after
from fullscript_pipeline_tests.drills.night_drill import a_night
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.drills.restart_drill import restarts_beside_pulls
from fullscript_pipeline_tests.helpers.celery_workers import shared_stores
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.redis_server import RedisServer
from fullscript_pipeline_tests.helpers.s3_server import Bucket, S3Server
from fullscript_pipeline_tests.helpers.table_hash import differing_tables

pytestmark = [pytest.mark.soak, pytest.mark.timeout(14400)]


def test_a_killed_pull_goes_on_on_another_machine(
    tmp_path: Path, postgres: PostgresServer, s3: S3Server, bucket: Bucket
) -> None:
    """Fifty processes are killed, and fifty are forgotten by the state store's server."""
    deaths = [(sign, 1 + number % 39) for sign in (signal.SIGKILL, 0) for number in range(50)]
    stores = kill_drill.Stores(postgres.url_of(str(tmp_path)), bucket.url, s3.variables)
    kill_drill.deaths_cost_a_page_a_worker(tmp_path, deaths=deaths, stores=stores)


def test_forty_five_days_are_the_same_in_files_and_in_shared_stores(
    tmp_path: Path, postgres: PostgresServer, s3: S3Server, queue: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every table, row by row, however each of them came to be."""
    size = {"days": 45, "patients": 10, "products": 20}
    embedded = tables_after(tmp_path / "embedded", **size)
    for name, value in shared_stores(tmp_path, postgres, s3, queue).items():
        monkeypatch.setenv(name, value)
    shared = tables_after(tmp_path / "shared", **size)
    differing = differing_tables(embedded, shared)
    rows = sum(number for number, _ in embedded.values())
    report_promise("several machines are as one", tables=len(embedded), rows=rows, differing=len(differing), **size)
    assert differing == []
    assert min(embedded[table][0] for table in ("core.orders", "history.variants", "marts.adherence")) > 0


def test_fifty_clinics_of_a_night_on_four_workers(
    tmp_path: Path, postgres: PostgresServer, s3: S3Server, queue: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in shared_stores(tmp_path, postgres, s3, queue).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "a night of fifty clinics 0123456789")
    figures = a_night(tmp_path, clinics=50, patients=5, workers=4)
    report_promise("several machines are as one", **figures)
    assert figures["failed"] == 0
    assert figures["most_in_300_s"] <= 4750
    assert figures["too_many_requests"] == 0
    assert figures["names_in_the_bucket"] == 0


def test_servers_that_are_restarted_cost_no_row(
    tmp_path: Path, postgres: PostgresServer, s3: S3Server, queue: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them twenty times, while four clinics are pulled."""
    for name, value in shared_stores(tmp_path, postgres, s3, queue).items():
        monkeypatch.setenv(name, value)
    servers = (postgres.program, queue.program, s3.program)
    figures = restarts_beside_pulls(tmp_path, servers=servers, times=20, clinics=4, workers=2)
    report_promise("several machines are as one", **figures)
    assert (figures["lost"], figures["doubled"], figures["in_peace"]) == (0, 0, 4)
