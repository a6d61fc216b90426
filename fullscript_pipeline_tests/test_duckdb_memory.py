"""A memory limit that cannot be set leaves the transaction and the limit as they are."""

from contextlib import closing

import duckdb
import pytest

from fullscript_pipeline import duckdb_memory
from fullscript_pipeline.duckdb_memory import memory_limit, release_memory, set_memory_limit


def _megabytes(con: duckdb.DuckDBPyConnection) -> float:
    """The limit is told in MiB with one digit."""
    (text,) = con.execute("SELECT current_setting('memory_limit')").fetchone() or ("",)
    number, unit = str(text).split()
    assert unit == "MiB"
    return float(number) * 1.048576


def test_a_limit_below_what_is_held_fails_no_transaction() -> None:
    with closing(duckdb.connect(config={"temp_directory": "", "threads": "1", "memory_limit": "100MB"})) as con:
        con.execute("BEGIN")
        con.execute("CREATE TABLE held AS SELECT i, repeat('x', 200) || i AS text FROM range(100_000) AS t(i)")
        set_memory_limit(con, "5MB")
        assert _megabytes(con) == pytest.approx(100, rel=0.01)
        with memory_limit(con, "5MB"):
            con.execute("INSERT INTO held SELECT 7, 'y' FROM range(100_000)")
        con.execute("COMMIT")
        assert con.execute("SELECT count(*) FROM held").fetchone() == (200_000,)


def test_the_limit_is_as_before_afterwards_whatever_happened() -> None:
    with closing(duckdb.connect(config={"threads": "1", "memory_limit": "200MB"})) as con:
        con.execute("BEGIN")
        with pytest.raises(duckdb.CatalogException), memory_limit(con, "100MB"):
            assert _megabytes(con) == pytest.approx(100, rel=0.01)
            con.execute("SELECT * FROM nothing")
        con.execute("ROLLBACK")
        assert _megabytes(con) == pytest.approx(200, rel=0.01)


def test_the_former_limit_is_restored_without_a_query(monkeypatch: pytest.MonkeyPatch) -> None:
    """A query under a limit of 1 MB runs out of memory now and then."""
    limits = iter(["200MB"])
    monkeypatch.setattr(duckdb_memory, "_limit", lambda _: next(limits))
    with closing(duckdb.connect(config={"threads": "1", "memory_limit": "200MB"})) as con:
        with memory_limit(con, "1MB"):
            pass
        assert _megabytes(con) == pytest.approx(200, rel=0.01)


def test_the_limit_is_the_same_after_many_changes() -> None:
    with closing(duckdb.connect(config={"threads": "1", "memory_limit": "200MB"})) as con:
        for _ in range(50):
            with memory_limit(con, "100MB"):
                pass
            release_memory(con)
        assert _megabytes(con) == pytest.approx(200, abs=0.2)


def test_memory_that_cannot_be_released_leaves_the_limit_as_it_is() -> None:
    """A transaction holds the lists of the rows that it deleted."""
    with closing(duckdb.connect(config={"threads": "1", "memory_limit": "200MB"})) as con:
        con.execute("CREATE TABLE held AS FROM range(3_000_000) AS t(i)")
        con.execute("BEGIN")
        con.execute("DELETE FROM held WHERE i % 2048 = 7")
        with pytest.raises(duckdb.OutOfMemoryException), con.cursor() as cursor:
            cursor.execute("SET memory_limit = '1MB'")
        set_memory_limit(con, "200MB")
        release_memory(con)
        assert _megabytes(con) == pytest.approx(200, abs=0.2)
        con.execute("COMMIT")
