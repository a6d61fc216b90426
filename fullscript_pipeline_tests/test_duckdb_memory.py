"""A memory limit that cannot be set leaves the transaction and the limit as they are."""

from contextlib import closing

import duckdb
import pytest

from fullscript_pipeline.duckdb_memory import memory_limit, set_memory_limit


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
