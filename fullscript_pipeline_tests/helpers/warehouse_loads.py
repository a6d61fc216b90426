"""Short ways to load records into a fresh warehouse."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.landing import Line, make_line, parse_line
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.loading.load_context import Context, Counts
from fullscript_pipeline.warehouse.loading.removal_scope import Among

Record = dict[str, Any]
START = datetime(2026, 11, 1, tzinfo=UTC)


def lines_of(records: list[Record], parent: str | None = None) -> Callable[[], Iterator[Line]]:
    """Records as they come back from landing."""
    landed = [parse_line(make_line(record), parent) for record in records]
    return lambda: iter(landed)


def context(hour: int = 0) -> Context:
    return Context(
        server="us-snd",
        region="us",
        clinic_id="c1",
        clinic_key="acme",
        observed_at=START + timedelta(hours=hour),
        pull_id=f"pull-{hour}",
    )


def put(
    warehouse: Warehouse, table: Table, records: list[Record], hour: int = 0, missing_among: Among | None = None
) -> Counts:
    """Loads in a transaction of its own."""
    with warehouse.write() as con:
        return load(con, table, lines_of(records), context(hour), missing_among=missing_among)


def rows(warehouse: Warehouse, sql: str) -> list[tuple[Any, ...]]:
    with warehouse.read() as con:
        return con.execute(sql).fetchall()
