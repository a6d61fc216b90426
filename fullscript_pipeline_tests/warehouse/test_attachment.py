"""A file that stays attached between two uses is given to whoever waits, and nobody sees an old one."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from fullscript_pipeline.warehouse.attachment import IDLE_SECONDS, detach_all
from fullscript_pipeline.warehouse.connection import Warehouse

VERSIONS = "SELECT max(version) FROM ops.schema_version"
READ_ONCE = """
import sys
from pathlib import Path
from fullscript_pipeline.warehouse.connection import Warehouse
with Warehouse(Path(sys.argv[1]), lock_wait=20).read() as con:
    print(con.execute("SELECT max(version) FROM ops.schema_version").fetchone()[0])
"""
# The child would inherit the lock of a file that the parent keeps attached, and hold it as long as it lives.
FORK_BETWEEN_USES = """
import os, sys
from pathlib import Path
from fullscript_pipeline.warehouse.connection import Warehouse
warehouse = Warehouse(Path(sys.argv[1]), lock_wait=5)
with warehouse.write() as con:
    con.execute("INSERT INTO ops.schema_version (version) VALUES (99)")
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.read(reading, 1)
    os._exit(0)
with Warehouse(warehouse.path, lock_wait=5).read() as con:
    print(con.execute("SELECT max(version) FROM ops.schema_version").fetchone()[0])
os.write(writing, b"x")
os.waitpid(child, 0)
"""
# The checkpoint of so many rows takes longer than the process has left.
END_DURING_A_CHECKPOINT = """
import sys, time
from pathlib import Path
from fullscript_pipeline.warehouse import attachment
from fullscript_pipeline.warehouse.connection import Warehouse
with Warehouse(Path(sys.argv[1])).write() as con:
    con.execute("CREATE TABLE core.large AS SELECT range AS a, random() AS b FROM range(2_000_000)")
time.sleep(attachment.IDLE_SECONDS)
while attachment._idle:
    time.sleep(0.001)
"""


def add(warehouse: Warehouse, version: int) -> None:
    with warehouse.write() as con:
        con.execute("INSERT INTO ops.schema_version (version) VALUES (?)", [version])


def highest(warehouse: Warehouse) -> int:
    with warehouse.read() as con:
        (version,) = con.execute(VERSIONS).fetchone() or (0,)
    return int(version)


def run(script: str, path: Path) -> str:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_process_that_waits_gets_the_file_while_this_one_uses_it_without_pause(warehouse: Warehouse) -> None:
    add(warehouse, 98)
    command = [sys.executable, "-c", READ_ONCE, str(warehouse.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        version = 98
        while other.poll() is None:
            version += 1
            add(warehouse, version)
        assert other.stdout is not None
        assert 98 <= int(other.stdout.read()) <= version
    assert other.returncode == 0


def test_a_program_without_our_lock_can_open_an_idle_file(warehouse: Warehouse) -> None:
    add(warehouse, 99)
    warehouse_is_idle = f"import time; time.sleep({2 * IDLE_SECONDS})"
    subprocess.run([sys.executable, "-c", warehouse_is_idle], check=True)
    with duckdb.connect(str(warehouse.path), read_only=True) as con:
        assert con.execute(VERSIONS).fetchone() == (99,)


def test_another_opener_in_this_process_sees_what_was_written(warehouse: Warehouse) -> None:
    other = Warehouse(warehouse.path, lock_wait=5)
    for version in (97, 98, 99):
        add(warehouse, version)
        assert highest(other) == version
    add(other, 100)
    assert highest(warehouse) == 100


def test_a_use_that_fails_leaves_the_file_detached(warehouse: Warehouse) -> None:
    with pytest.raises(RuntimeError), warehouse.write():
        raise RuntimeError
    with duckdb.connect(str(warehouse.path)) as con:
        assert con.execute("SELECT count(*) FROM ops.schema_version WHERE version > 90").fetchone() == (0,)


def test_a_file_that_was_replaced_is_opened_anew(warehouse: Warehouse, tmp_path: Path) -> None:
    restored = Path(shutil.copy(warehouse.path, tmp_path / "restored.duckdb"))
    add(Warehouse(restored), 98)
    detach_all()
    assert highest(warehouse) < 98
    restored.replace(warehouse.path)
    assert highest(warehouse) == 98


def test_the_locks_stay_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`catalog compare data@us ...` names a file by a relative path; its lock is looked at again later."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first / "data", second / "data"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(first)
    warehouse = Warehouse(Path("data/file.duckdb"))
    with warehouse.write() as con:
        monkeypatch.chdir(second)
        con.execute("CREATE TABLE one (value INTEGER)")
    detach_all()
    assert list((second / "data").iterdir()) == []
    assert warehouse.path == first / "data" / "file.duckdb"


def test_a_forked_child_does_not_hold_the_file(warehouse: Warehouse) -> None:
    assert run(FORK_BETWEEN_USES, warehouse.path) == "99"


def test_a_process_ends_well_while_an_idle_file_is_detached(warehouse: Warehouse) -> None:
    run(END_DURING_A_CHECKPOINT, warehouse.path)
    with warehouse.read() as con:
        assert con.execute("SELECT count(*) FROM core.large").fetchone() == (2_000_000,)


def test_a_checkpoint_that_fails_loses_nothing(warehouse: Warehouse, caplog: pytest.LogCaptureFixture) -> None:
    with warehouse.write() as con:
        con.execute("CREATE TABLE core.large AS SELECT range AS a, range::VARCHAR || random() AS b FROM range(20_000)")
    no_larger = (warehouse.path.stat().st_size, resource.RLIM_INFINITY)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, no_larger)
    try:
        detach_all()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "write-ahead log" in caplog.text
    with warehouse.read() as con:
        assert con.execute("SELECT count(*) FROM core.large").fetchone() == (20_000,)


def test_two_files_are_used_in_turn_through_one_instance(warehouse: Warehouse, tmp_path: Path) -> None:
    sibling = warehouse.sibling(Path(shutil.copy(warehouse.path, tmp_path / "sibling.duckdb")), None)
    for version in (98, 99):
        add(warehouse, version)
        add(sibling, version + 10)
    assert (highest(warehouse), highest(sibling)) == (99, 109)
