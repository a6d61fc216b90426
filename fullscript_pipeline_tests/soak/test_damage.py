"""Promise 38 with its full numbers: one flipped bit at a thousand places over every kind of file, cuts, empty files."""

import hashlib
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.files.frame_file import FrameFile, LandingDamage
from fullscript_pipeline.warehouse.landing import Request, make_line
from fullscript_pipeline.warehouse.personal_data.purge import purge_landing
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.killed_writer import DIE_AFTER_COMMIT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

KEY = "a key that is long enough 0123456789"
Read = Callable[[Path], str]


def landed(path: Path, key: str | None) -> str:
    digest = hashlib.sha256()
    for request, lines in FrameFile(path, key).frames():
        digest.update(b"\n".join([request.key.encode(), *lines]))
    return digest.hexdigest()


def tables(path: Path, key: str | None) -> str:
    """Every row of every table of a warehouse."""
    with Warehouse(path, key).read() as con:
        names = con.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = current_database() "
            "ORDER BY 1"
        ).fetchall()
        rows = [con.execute(f"SELECT to_json(t)::VARCHAR FROM {name} t ORDER BY 1").fetchall() for (name,) in names]
    return hashlib.sha256(repr((names, rows)).encode()).hexdigest()


def settings_and_events(path: Path) -> str:
    """Every row of every table of a state store."""
    with StateStore(path, KEY) as store, store.db.read() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall()
        rows = [connection.exec_driver_sql(f'SELECT * FROM "{name}"').fetchall() for (name,) in names]
    return hashlib.sha256(repr((names, rows)).encode()).hexdigest()


def damaged(content: bytes, chance: random.Random, times: int) -> Iterator[bytes]:
    """Copies with one flipped bit, then cut ones and an empty one."""
    for _ in range(times):
        copy = bytearray(content)
        copy[chance.randrange(len(copy))] ^= 1 << chance.randrange(8)
        yield bytes(copy)
    yield from (content[: chance.randrange(len(content))] for _ in range(max(1, times // 20)))
    yield b""


def trial(path: Path, read: Read, times: int) -> Counter[str]:
    """How often damage was told, was of no consequence, or went by without a word."""
    content, whole, outcome, chance = path.read_bytes(), read(path), Counter[str](), random.Random(38)
    for copy in damaged(content, chance, times):
        path.write_bytes(copy)
        try:
            outcome["same" if read(path) == whole else "silent"] += 1
        except PipelineError as error:
            outcome["told"] += 1
            assert str(path) in str(error) or path.name in str(error)
    path.write_bytes(content)
    return outcome


@pytest.mark.parametrize("key", [None, KEY])
def test_landing_files(tmp_path: Path, key: str | None) -> None:
    started, path = time.monotonic(), tmp_path / "c" / "2026-11-01" / "orders.1.frames"
    file = FrameFile(path.with_suffix(".open"), key)
    for page in range(1, 12):
        lines = [make_line({"id": f"{page}-{row}", "patient_id": f"p{row}"}) for row in range(30)]
        file.append(Request(endpoint="orders", key=f"c/?page={page}", page=page, records=len(lines)), lines)
    file.finish()
    outcome = trial(path, lambda one: landed(one, key), 300)
    content, purged, chance = path.read_bytes(), Counter[str](), random.Random(39)
    for copy in damaged(content, chance, 60):
        path.write_bytes(copy)
        try:
            purge_landing(tmp_path, key, frozenset({"p7"}))
            purged["gone" if b'"p7"' not in readable(path, key) else "left"] += 1
        except LandingDamage:
            purged["refused"] += 1
        for left in path.parent.iterdir():
            left.unlink()
    report_promise(
        "promise 38", file="landing", sealed=bool(key), **outcome, purge_refused=purged["refused"],
        purge_left=purged["left"], seconds=time.monotonic() - started,
    )  # fmt: skip
    assert outcome["silent"] == purged["left"] == 0
    assert outcome["told"] > 250


def readable(path: Path, key: str | None) -> bytes:
    return b"".join(line for _, lines in FrameFile(path, key).frames() for line in lines) if path.exists() else b""


@pytest.mark.parametrize("key", [None, KEY])
def test_warehouses(tmp_path: Path, key: str | None) -> None:
    started, path = time.monotonic(), tmp_path / "w.duckdb"
    migrate(Warehouse(path, key), [])
    with Warehouse(path, key).write() as con:
        con.execute(
            "INSERT INTO ops.purges (kind, subject, removed) SELECT 'x', md5(range::TEXT), '{}' FROM range(20000)"
        )
    outcome = trial(path, lambda one: tables(one, key), 250)
    report_promise("promise 38", file="warehouse", sealed=bool(key), **outcome, seconds=time.monotonic() - started)
    assert outcome["silent"] == 0
    assert outcome["told"] > 20


@pytest.mark.parametrize("key", [None, KEY])
def test_write_ahead_logs(tmp_path: Path, key: str | None) -> None:
    """A log that ends early is what a crash leaves: DuckDB takes a flipped length for that, so it cannot be told."""
    started, path, made = time.monotonic(), tmp_path / "w.duckdb", tmp_path / "made"
    migrate(Warehouse(path, key), [])
    subprocess.run([sys.executable, "-c", DIE_AFTER_COMMIT, str(path), key or ""], check=False)
    made.mkdir()
    log = path.with_name("w.duckdb.wal")
    database, content = path.read_bytes(), log.read_bytes()
    whole, outcome, chance = "", Counter[str](), random.Random(38)
    for place, copy in enumerate((content, *damaged(content, chance, 100))):
        path.write_bytes(database)
        log.write_bytes(copy)
        try:
            rows = tables(path, key)
            whole = whole or rows
            outcome["same" if rows == whole else "cut"] += place > 0
        except PipelineError as error:
            outcome["told"] += 1
            assert log.name in str(error) and "KEY" not in str(error)
    report_promise("promise 38", file="log", sealed=bool(key), **outcome, seconds=time.monotonic() - started)
    assert outcome["told"] > 60


def test_state_stores(tmp_path: Path) -> None:
    """SQLite keeps no checksums: what is sealed is told, a flipped letter of an id or a day is not."""
    started, path = time.monotonic(), tmp_path / "state.sqlite"
    with StateStore(path, KEY) as store:
        for number in range(200):
            store.clinics.register("us-snd", f"c{number}", "us", f"Clinic {number}")
    outcome = trial(path, settings_and_events, 200)
    report_promise("promise 38", file="state store", **outcome, seconds=time.monotonic() - started)
