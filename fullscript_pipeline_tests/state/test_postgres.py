"""What only PostgreSQL does: processes of several machines, a server that goes away, its clock, its errors."""

import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from fullscript_pipeline.errors import Busy, ConfigurationError, PipelineError, ServiceUnavailable
from fullscript_pipeline.state import StateStore, read_first_connection_day
from fullscript_pipeline.state.database import LockNotFree
from fullscript_pipeline.state.postgres import PostgresDatabase
from fullscript_pipeline.state.schema import MIGRATIONS, metadata
from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer

pytestmark = pytest.mark.check_all
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def backend() -> None:
    """Not once for each database, as the other tests of this folder."""


@pytest.fixture
def address(postgres: PostgresServer, tmp_path: Path) -> str:
    return postgres.url_of(str(tmp_path))


@pytest.fixture
def database(address: str) -> Iterator[PostgresDatabase]:
    opened = PostgresDatabase(address, busy_seconds=0.3)
    yield opened
    opened.close()


def test_processes_and_threads_may_make_and_write_it_at_once(address: str) -> None:
    code = (
        "import sys; from fullscript_pipeline.state import StateStore\n"
        "store = StateStore(sys.argv[1])\n"
        "[store.feeds.set_position('us-snd', 'c', f'{sys.argv[2]}-{n}', 'x') for n in range(20)]\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, address, str(number)], cwd=ROOT) for number in range(3)]
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: StateStore(address), range(4)))
        list(pool.map(lambda n: stores[n % 4].feeds.set_position("us-snd", "c", f"own-{n}", "x"), range(40)))
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    with stores[0].db.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM cursors")).scalar() == 100
        assert connection.execute(text("SELECT version FROM schema_version")).scalars().all() == [len(MIGRATIONS)]
    for store in stores:
        store.close()


def test_the_migrations_make_what_the_tables_say(database: PostgresDatabase) -> None:
    """Seconds need eight bytes: with four, times are wrong by minutes."""
    with database.read() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.select().limit(1))
        kinds = connection.execute(
            text("SELECT DISTINCT data_type FROM information_schema.columns WHERE table_schema = current_schema()")
        )
        assert set(kinds.scalars()) == {"text", "bigint", "double precision", "bytea"}


def test_a_writer_waits_for_another_and_says_so_when_it_does_not_end(database: PostgresDatabase, address: str) -> None:
    holder = PostgresDatabase(address)
    with (
        holder.write(),
        pytest.raises(Busy, match="has been writing the state store postgresql://127"),
        database.write(),
    ):
        pass
    with database.write() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    holder.close()


def test_a_named_lock_is_held_by_one_and_leaves_rows_writable(database: PostgresDatabase, address: str) -> None:
    other = PostgresDatabase(address)
    with database.named_lock("a clinic", 1.0):
        with pytest.raises(LockNotFree), other.named_lock("a clinic", 0.1):
            pass
        with other.named_lock("another clinic", 0.1), other.write():
            pass
    with other.named_lock("a clinic", 0.1):
        pass
    other.close()


_HOLDS = """
import sys
from fullscript_pipeline.state.postgres import PostgresDatabase
with PostgresDatabase(sys.argv[1]).named_lock("a clinic", 5.0):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_a_killed_process_is_free(database: PostgresDatabase, address: str) -> None:
    command = [sys.executable, "-c", _HOLDS, address]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockNotFree), database.named_lock("a clinic", 0.1):
            pass
        holder.kill()
    with database.named_lock("a clinic", 10.0):
        pass


def test_a_connection_that_the_server_ends_is_one_sentence_and_the_next_use_works(
    database: PostgresDatabase, postgres: PostgresServer
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def write() -> None:
        with database.write() as connection:
            connection.execute(text("INSERT INTO facts VALUES ('lost', 'x')"))
            begun.set()
            ended.wait(10)
            connection.execute(text("SELECT 1"))

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(write)
        begun.wait(10)
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fullscript_pipeline'"
        )
        ended.set()
        with pytest.raises(ServiceUnavailable, match="cannot be reached"):
            running.result()
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM facts")).scalar() == 0


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ("port", ServiceUnavailable, "start the database, or correct FULLSCRIPT_STATE_URL"),
        ("/postgres", ConfigurationError, r"refuses this process .* does not exist"),
        ("tests@", ConfigurationError, r"refuses this process .* does not exist"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence_without_the_password(
    postgres: PostgresServer, change: str, kind: type[PipelineError], says: str
) -> None:
    url = postgres.url.replace("tests@", "tests:secret@")
    changed = {
        "port": url.replace(f":{postgres.port}", f":{free_port()}"),
        "/postgres": url.replace("/postgres", "/nothing"),
        "tests@": url.replace("tests:", "nobody:"),
    }[change]
    with pytest.raises(kind, match=says) as caught:
        PostgresDatabase(changed)
    assert "secret" not in str(caught.value)


def test_a_store_of_another_version_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="empty or of an older version"):
        StateStore(address, read_only=True)
    StateStore(address).close()
    with StateStore(address, read_only=True) as store, pytest.raises(ConfigurationError, match="read-only transaction"):
        store.facts.set("a", "b")
    database = PostgresDatabase(address)
    with database.write() as connection:
        connection.execute(text("UPDATE schema_version SET version = version + 1"))
    database.close()
    with pytest.raises(ConfigurationError, match="newer version"):
        StateStore(address)


def test_the_grid_of_days_begins_at_the_first_connection(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", "2026-11-22T02:00:00Z")
    assert read_first_connection_day(address, ZoneInfo("UTC")) is None
    with StateStore(address) as store:
        store.clinics.register("us-snd", "c1", "us", "One")
    assert read_first_connection_day(address, ZoneInfo("UTC")) == date(2026, 11, 22)


def test_permits_are_counted_by_the_servers_clock(address: str) -> None:
    """A machine whose clock is an hour ahead sees the permits that another has just used."""
    with StateStore(address) as store:
        budget = store.budgets.of_app("us-snd", "id", 1000)
        budget.acquire("present")
        assert budget.used() == 20
        code = (
            "import sys, time; now = time.time; time.time = lambda: now() + 3600\n"
            "from fullscript_pipeline.state import StateStore\n"
            "budget = StateStore(sys.argv[1]).budgets.of_app('us-snd', 'id', 1000)\n"
            "budget._clock = time.time; budget.acquire('present'); print(budget.used())\n"
        )
        run = [sys.executable, "-c", code, address]
        told = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
        assert told.stdout == "40\n"


def test_erasing_and_measuring(address: str) -> None:
    with StateStore(address) as store:
        store.facts.set("name", secrets.token_hex(100_000))
        large = store.db.size_bytes()
        store.facts.set("name", "x")
        store.wipe_deleted()
        assert 0 < store.db.size_bytes() < large
