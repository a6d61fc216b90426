"""A lake on a real PostgreSQL, its files in a folder and on a real S3 server: turns, snapshots, what fails how."""

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fullscript_pipeline.errors import Busy, ConfigurationError, PipelineError, ServiceUnavailable
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.warehouse import warehouse_of
from fullscript_pipeline.warehouse.lake import Lake
from fullscript_pipeline.warehouse.upgrades import migrate
from fullscript_pipeline_tests.helpers.lakes import lake_catalog, lake_catalog_text, open_lake
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.s3_server import Bucket
from fullscript_pipeline_tests.helpers.stop_signals import query_until_stopped

pytestmark = pytest.mark.check_all

PURGE = "INSERT INTO ops.purges (kind, subject) VALUES ('patient', ?)"
COUNT = "SELECT count(*) FROM ops.purges"
DIE_IN_ITS_TURN = """
import os, sys
from pathlib import Path
from fullscript_pipeline_tests.helpers.lakes import open_lake
with open_lake(sys.argv[1], sys.argv[2], Path(sys.argv[3])).write() as con:
    con.execute("INSERT INTO ops.purges (kind, subject) VALUES ('patient', 'never')")
    os._exit(9)
"""


BOTH = pytest.mark.parametrize("files", ["folder", "bucket"], indirect=True)
BUCKET = pytest.mark.parametrize("files", ["bucket"], indirect=True)


@pytest.fixture
def catalog(postgres: PostgresServer, tmp_path: Path) -> str:
    return lake_catalog(postgres, str(tmp_path))


@pytest.fixture
def files(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """In a folder, unless the test asks for a bucket (`BOTH`, `BUCKET`): that takes longer."""
    if getattr(request, "param", "folder") == "folder":
        return str(tmp_path / "files")
    bucket: Bucket = request.getfixturevalue("bucket")
    return f"{bucket.url}/lake"


@pytest.fixture
def lake(catalog: str, files: str, tmp_path: Path) -> Iterator[Lake]:
    opened = open_lake(catalog, files, tmp_path / "one")
    migrate(opened, [])
    yield opened
    opened.close_if_unused()


def _count(lake: Lake) -> int:
    with lake.read() as con:
        return int((con.execute(COUNT).fetchone() or (-1,))[0])


@BOTH
def test_two_machines_read_what_either_has_committed(lake: Lake, catalog: str, files: str, tmp_path: Path) -> None:
    """A reader sees the last commit while another writes, and within its block nothing changes."""
    other = open_lake(catalog, files, tmp_path / "two")
    with lake.write() as con:
        con.execute(PURGE, ["one"])
        assert _count(other) == 0
    with other.read() as reading:
        assert reading.execute(COUNT).fetchall() == [(1,)]
        with lake.write() as con:
            con.execute(PURGE, ["two"])
        assert reading.execute(COUNT).fetchall() == [(1,)]
    assert _count(other) == _count(lake) == 2
    other.close_if_unused()


def test_who_may_not_write_within_its_wait_hears_who_writes(
    lake: Lake, catalog: str, files: str, tmp_path: Path
) -> None:
    other = open_lake(catalog, files, tmp_path / "two", lock_wait=0.3)
    with lake.write() as con:
        con.execute(PURGE, ["one"])
        with (
            pytest.raises(Busy, match=rf"is written by fullscript_pipeline process {os.getpid()} at 127"),
            other.write(),
        ):
            pass
    with other.write() as con:
        con.execute(PURGE, ["two"])
    assert _count(lake) == 2
    other.close_if_unused()


def test_writers_of_the_same_rows_take_turns_and_none_fails(
    lake: Lake, catalog: str, files: str, tmp_path: Path
) -> None:
    """Without turns one of two such commits fails: DELETE and INSERT in one table conflict."""
    problems: list[BaseException] = []

    def write(number: int) -> None:
        writer = open_lake(catalog, files, tmp_path / f"writer-{number}")
        try:
            for _ in range(3):
                with writer.write() as con:
                    con.execute("DELETE FROM ops.purges WHERE subject = ?", [str(number)])
                    con.execute(PURGE, [str(number)])
        except BaseException as problem:
            problems.append(problem)
        writer.close_if_unused()

    threads = [threading.Thread(target=write, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (problems, _count(lake)) == ([], 3)


def test_who_lost_its_turn_does_not_commit(lake: Lake, postgres: PostgresServer) -> None:
    """PostgreSQL was restarted, or an administrator ended the connection: somebody else may be writing by now."""
    with pytest.raises(ServiceUnavailable, match="cannot be reached"), lake.write() as con:
        con.execute(PURGE, ["one"])
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND "
            "database = (SELECT oid FROM pg_database WHERE datname = '" + lake.catalog.place.partition(" ")[0] + "')"
        )
    assert _count(lake) == 0


@pytest.mark.timeout(60)
def test_a_signal_to_stop_ends_the_query_and_is_raised_as_itself(lake: Lake) -> None:
    with pytest.raises(KeyboardInterrupt), lake.write() as con:
        con.execute(PURGE, ["never"])
        query_until_stopped(con)
    with pytest.raises(KeyboardInterrupt), lake.read() as con:
        query_until_stopped(con)
    with lake.read() as con:
        assert con.execute(COUNT).fetchone() == (0,)


def test_connections_that_the_server_has_ended_are_made_again(lake: Lake, postgres: PostgresServer) -> None:
    assert _count(lake) == 0
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert _count(lake) == 0
    with lake.write() as con:
        con.execute(PURGE, ["one"])
    assert _count(lake) == 1


def test_a_writer_that_dies_leaves_nothing_and_ends_its_turn(
    lake: Lake, catalog: str, files: str, tmp_path: Path
) -> None:
    died = subprocess.run(
        [sys.executable, "-c", DIE_IN_ITS_TURN, catalog, files, str(tmp_path / "died")], check=False
    ).returncode
    with lake.write() as con:
        con.execute(PURGE, ["one"])
    assert (died, _count(lake)) == (9, 1)


def _count_in_child(lake: Lake, counts: "multiprocessing.Queue[int]") -> None:
    counts.put(_count(lake))


def test_a_forked_run_and_its_parent_have_connections_of_their_own(lake: Lake) -> None:
    forking = multiprocessing.get_context("fork")
    counts: multiprocessing.Queue[int] = forking.Queue()
    with lake.write() as con:
        con.execute(PURGE, ["one"])
    for _ in range(2):
        child = forking.Process(target=_count_in_child, args=[lake, counts])
        child.start()
        assert (counts.get(timeout=60), _count(lake)) == (1, 1)
        child.join()


@BOTH
def test_upkeep_joins_small_files_and_keeps_every_row(lake: Lake) -> None:
    for number in range(20):
        with lake.write() as con:
            con.execute("DELETE FROM ops.purges WHERE subject = ?", [str(number - 10)])
            con.execute(PURGE, [str(number)])
    assert _files_of(lake, "purges") >= 10
    left = lake.tidy()
    assert (_count(lake), _files_of(lake, "purges") <= 2, (left or 99) <= 30) == (10, True, True)
    assert lake.tidy(only_if_due=True) is None, "the oldest snapshot is not a day old"


def test_upkeep_is_due_when_a_table_has_many_files_and_nobody_else_writes(
    lake: Lake,
    catalog: str,
    files: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Small ones, and those with deleted rows. A command that has pulled does not fail because others write, or because
    the catalog is away."""
    monkeypatch.setattr("fullscript_pipeline.warehouse.lake.MANY_FILES", 10)
    assert lake.tidy() is not None
    for number in range(9):
        assert not lake.has_many_files()
        with lake.write() as con:
            con.execute(f"{PURGE}, ('patient', 'again')", [str(number)])
    with lake.write() as con:
        con.execute("DELETE FROM ops.purges WHERE subject = '5'")
    assert lake.has_many_files()
    other = open_lake(catalog, files, tmp_path / "two", lock_wait=0.3)
    away = open_lake("host=127.0.0.1 port=9 user=nobody dbname=none", files, tmp_path / "three")
    caplog.clear()
    with lake.write():
        assert (other.tidy(only_if_due=True), away.tidy(only_if_due=True)) == (None, None)
    assert ["The lake was not tidied" in message for message in caplog.messages] == [True, True]
    assert other.tidy(only_if_due=True) is not None
    assert not lake.has_many_files()
    assert _count(lake) == 17
    other.close_if_unused()


def _files_of(lake: Lake, table: str) -> int:
    with lake.read() as con:
        return int(
            con.execute(
                "SELECT file_count + delete_file_count FROM ducklake_table_info('warehouse') WHERE table_name = ?",
                [table],
            ).fetchall()[0][0]
        )


@BOTH
def test_what_was_deleted_is_gone_from_files_snapshots_and_catalog(lake: Lake, catalog: str) -> None:
    """The catalog holds the smallest and largest value of each column in clear."""
    with lake.write() as con:
        con.execute(PURGE, ["aaa-canary"])
        con.execute(PURGE, ["somebody else"])
    assert "aaa-canary" in lake_catalog_text(catalog)
    with lake.write() as con:
        con.execute("DELETE FROM ops.purges WHERE subject = 'aaa-canary'")
    lake.erase_deleted()
    with lake.read() as con:
        snapshots = con.execute("SELECT count(*) FROM ducklake_snapshots('warehouse')").fetchall()
    assert (_count(lake), snapshots, "aaa-canary" in lake_catalog_text(catalog)) == (1, [(1,)], False)
    assert _files_of(lake, "purges") == 1


def test_a_password_is_in_no_sentence(postgres: PostgresServer, tmp_path: Path) -> None:
    catalog = f"host=127.0.0.1 port={postgres.port} user=tests password=canary dbname=nowhere"
    for address, error in ((catalog, ConfigurationError), (catalog.replace("127.0.0.1", "127.0.0.9"), PipelineError)):
        with pytest.raises(error) as told:
            open_lake(address, str(tmp_path / "files"), tmp_path / "one").exists()
        assert ("canary" in str(told.value), "FULLSCRIPT_WAREHOUSE_URL" in str(told.value)) == (False, True)


@BUCKET
def test_a_bucket_that_refuses_or_is_down_is_one_sentence(
    lake: Lake, catalog: str, files: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lake.write() as con:
        con.execute(PURGE, ["one"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(ConfigurationError, match="refuses these credentials"):
        _count_rows(open_lake(catalog, files, tmp_path / "two"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceUnavailable, match="cannot be reached"):
        _count_rows(open_lake(catalog, files, tmp_path / "three"))


@BOTH
def test_a_file_that_is_gone_is_told_as_that_and_not_as_a_server_that_is_down(
    lake: Lake, catalog: str, files: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with lake.write() as con:
        con.execute(PURGE, ["one"])
    place = request.getfixturevalue("bucket").folder / "lake" if files.startswith("s3:") else Path(files)
    for path in place.rglob("purges/*.parquet"):
        path.unlink()
    with pytest.raises(ConfigurationError, match="is missing, so what it held cannot be read"):
        _count_rows(open_lake(catalog, files, tmp_path / "two"))


def _count_rows(lake: Lake) -> None:
    with lake.read() as con:
        con.execute("SELECT max(subject || kind) FROM ops.purges").fetchall()


def test_real_patients_are_not_sent_over_a_connection_without_tls(
    catalog: str, files: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`hostaddr` leads here, and the name is another machine's."""
    elsewhere = catalog.replace("host=127.0.0.1", "host=db.example.org hostaddr=127.0.0.1")
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", "postgresql://db.example.org/state")
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", f"file://{files}")
    monkeypatch.setenv("FULLSCRIPT_WAREHOUSE_URL", f"ducklake:postgres:{elsewhere}")
    (tmp_path / "data").mkdir()
    migrate(warehouse_of(load_settings()), [])
    monkeypatch.setenv("FULLSCRIPT_US_CLIENT_ID", "an app of real patients")
    with pytest.raises(ConfigurationError, match="reached without TLS, and names of real patients"):
        migrate(warehouse_of(load_settings()), [])
