"""One writer at a time, a sentence for whoever cannot have the file, and nothing half-written."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fullscript_pipeline.errors import Busy, ConfigurationError
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.killed_writer import DIE_AFTER_COMMIT
from fullscript_pipeline_tests.helpers.stop_signals import query_until_stopped

HOLD_OURS = """
import sys, time
from pathlib import Path
from fullscript_pipeline.warehouse.connection import Warehouse
with Warehouse(Path(sys.argv[1])).write():
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
HOLD_FOREIGN = """
import sys, time, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@contextmanager
def held(script: str, path: Path, seconds: float) -> Iterator[int]:
    command = [sys.executable, "-c", script, str(path), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.mark.parametrize("key", ["plain and long enough 0123456789", "ünïcode ключ", "back\\slash", 'it\'s "quoted"'])
def test_any_text_can_be_the_key_and_none_is_shown(tmp_path: Path, key: str) -> None:
    path = tmp_path / "w.duckdb"
    migrate(Warehouse(path, key), [])
    with Warehouse(path, key).read() as con:
        assert con.execute("SELECT count(*) FROM core.orders").fetchone() == (0,)
    with (
        pytest.raises(ConfigurationError, match="FULLSCRIPT_ENCRYPTION_KEY") as told,
        Warehouse(path, key + "x").read(),
    ):
        pass
    assert key not in str(told.value)


@pytest.mark.timeout(30)
def test_a_signal_to_stop_ends_the_query_and_is_raised_as_itself(warehouse: Warehouse) -> None:
    """DuckDB makes an error of it that looks like a fault of the program, and lets the query run on."""
    with pytest.raises(KeyboardInterrupt), warehouse.write() as con:
        con.execute("INSERT INTO ops.purges (kind, subject) VALUES ('patient', 'never')")
        query_until_stopped(con)
    with pytest.raises(KeyboardInterrupt), warehouse.read() as con:
        query_until_stopped(con)
    with warehouse.read() as con:
        assert con.execute("SELECT count(*) FROM ops.purges").fetchone() == (0,)


def test_a_reader_waits_for_a_writer_of_another_process(warehouse: Warehouse) -> None:
    with held(HOLD_OURS, warehouse.path, 0.5), warehouse.read() as con:
        assert con.execute("SELECT count(*) FROM core.orders").fetchone() == (0,)


def test_after_the_bounded_wait_the_holder_is_named(warehouse: Warehouse) -> None:
    impatient = Warehouse(warehouse.path, lock_wait=0.3)
    with held(HOLD_OURS, warehouse.path, 30) as pid, pytest.raises(Busy, match=str(pid)), impatient.read():
        pass


def test_a_notebook_that_has_the_file_open_is_named_too(warehouse: Warehouse) -> None:
    impatient = Warehouse(warehouse.path, lock_wait=0.3)
    with held(HOLD_FOREIGN, warehouse.path, 30) as pid, pytest.raises(Busy, match=str(pid)), impatient.write():
        pass


def test_a_block_that_raises_leaves_nothing(warehouse: Warehouse) -> None:
    with pytest.raises(RuntimeError), warehouse.write() as con:
        con.execute("INSERT INTO ops.schema_version (version) VALUES (99)")
        raise RuntimeError
    with warehouse.read() as con:
        assert con.execute("SELECT count(*) FROM ops.schema_version WHERE version = 99").fetchone() == (0,)


@pytest.mark.parametrize("key", ["another key", None])
def test_an_encrypted_file_opens_with_its_key_only(tmp_path: Path, key: str | None) -> None:
    path = tmp_path / "w.duckdb"
    migrate(Warehouse(path, "the key"), [])
    with Warehouse(path, "the key").read() as con:
        assert con.execute("SELECT count(*) FROM core.orders").fetchone() == (0,)
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_ENCRYPTION_KEY"), Warehouse(path, key).read():
        pass


def test_a_plain_file_says_that_it_was_made_without_a_key(warehouse: Warehouse) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"was made without a key .* unset the key"),
        Warehouse(warehouse.path, "k").read(),
    ):
        pass


@pytest.mark.parametrize("key", [None, "plain and long enough 0123456789"])
@pytest.mark.parametrize("start", [0, 10, 4096, 100_000])
def test_a_file_that_was_cut_or_overwritten_is_damaged_and_no_traceback(
    tmp_path: Path, key: str | None, start: int
) -> None:
    made = Warehouse(tmp_path / "made.duckdb", key)
    with made.maintain() as con:
        con.execute("CREATE TABLE t AS SELECT range AS a, 'word ' || range AS b FROM range(100_000)")
    with made.exclusive_file() as closed:
        content = closed.read_bytes()
    for name, broken in (
        ("cut", content[:start]),
        ("over", content[:start] + b"\xff" * 300_000 + content[start + 300_000 :]),
    ):
        path = tmp_path / f"{name}.duckdb"
        path.write_bytes(broken)
        with (
            pytest.raises(ConfigurationError, match="is damaged: `fullscript-pipeline restore"),
            Warehouse(path, key).read() as con,
        ):
            con.execute("SELECT max(a), max(b) FROM t").fetchall()


@pytest.mark.parametrize("key", [None, "a key that is long enough 0123"])
def test_a_damaged_log_of_last_writes_blames_neither_key_nor_disk(tmp_path: Path, key: str | None) -> None:
    path = tmp_path / "w.duckdb"
    migrate(Warehouse(path, key), [])
    subprocess.run([sys.executable, "-c", DIE_AFTER_COMMIT, str(path), key or ""], check=False)
    log = path.with_name("w.duckdb.wal")
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 1
    log.write_bytes(content)
    with (
        pytest.raises(ConfigurationError, match=r"write-ahead log .*w\.duckdb\.wal is damaged: .*restore") as told,
        Warehouse(path, key).read(),
    ):
        pass
    assert "KEY" not in str(told.value) and "permissions" not in str(told.value)


def test_no_warehouse_yet_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="pull"), Warehouse(tmp_path / "none.duckdb").read():
        pass


def test_every_file_is_for_its_owner_only_while_it_is_written_too(tmp_path: Path) -> None:
    """DuckDB makes its write-ahead log, and what it spills, as the umask says: 0644 under the usual one."""
    umask = os.umask(0o022)
    try:
        warehouse = Warehouse(tmp_path / "data" / "new.duckdb")
        warehouse.path.parent.mkdir()
        migrate(warehouse, [])
        made: dict[Path, int] = {}
        with warehouse.maintain() as con:
            con.execute("CREATE TABLE large AS SELECT range AS i FROM range(100000)")
            made |= _modes(warehouse.path.parent)
        with warehouse.read() as con:
            con.execute("SET memory_limit = '20MB'")
            con.execute("CREATE TEMP TABLE spilled AS SELECT repeat(i::VARCHAR, 50) AS text FROM large")
            made |= _modes(warehouse.path.parent)
        names = {path.name for path in made}
        assert "new.duckdb.wal" in names
        assert any(name.startswith("duckdb_temp_storage") for name in names), names
        assert {oct(mode) for mode in made.values()} == {"0o600"}
        assert os.umask(0o022) == 0o022, "given back"
    finally:
        os.umask(umask)


def _modes(folder: Path) -> dict[Path, int]:
    return {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_downloaded(warehouse: Warehouse) -> None:
    with warehouse.read() as con:
        wanted = ("autoinstall_known_extensions", "autoload_known_extensions")
        found = con.execute("SELECT value FROM duckdb_settings() WHERE name IN ?", [wanted]).fetchall()
    assert found == [("false",), ("false",)]
