"""Reads quarantined records again, through the present table descriptions: what can be typed now is loaded.

What does not belong here: why a record is set aside (`record_typing`), how it is resolved otherwise (`quarantine`).
"""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.landing import Line, content_hash
from fullscript_pipeline.warehouse.loading import field_notes, merge, pull_log, quarantine, staging
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.loading.load_context import Context
from fullscript_pipeline.warehouse.loading.quarantine import QuarantinedRecord

_TABLES = {table.name: table for table in ALL_TABLES}
_PARENTS = {child.table.name: table for table in ALL_TABLES for child in table.children}


@dataclass(frozen=True)
class Replayed:
    """What became of one table's records; those that are `left` could not be typed again."""

    table: str
    clinic_id: str | None
    loaded: int
    left: int


def replay(con: duckdb.DuckDBPyConnection, now: datetime, clinic_keys: Mapping[str, str]) -> list[Replayed]:
    """Loads what can be, in the caller's transaction, as observed at `now` (never before the last observation).

    `clinic_keys`: our name of a clinic by the vendor's id. A table that no longer exists is left alone.
    """
    last = pull_log.last_observation(con)
    observed = max(now, last) if last else now
    done = []
    for (name, clinic_id, region), rows in quarantine.by_table(quarantine.open_records(con)).items():
        if name not in _TABLES:
            done.append(Replayed(name, clinic_id, 0, len(rows)))
            continue
        context = Context(
            _server(con, clinic_id, region), region or "", clinic_id, clinic_keys.get(clinic_id or ""), observed,
            f"replay-{uuid.uuid4().hex}",
        )  # fmt: skip
        _replay_table(con, _TABLES[name], rows, context)
        left = _count_open(con, name, clinic_id, region)
        done.append(Replayed(name, clinic_id, len(rows) - left, left))
    return done


def _replay_table(
    con: duckdb.DuckDBPyConnection, table: Table, rows: list[QuarantinedRecord], context: Context
) -> None:
    if table.by_position:
        _replay_lines(con, table, rows, context)
    else:
        lines = [
            Line(record.record_id or "", record.parent_id, _hash(table, record), record.record.encode())
            for record in rows
        ]
        load(con, table, lambda: iter(lines), context)
    con.execute(
        "UPDATE ops.quarantine SET resolution = 'replayed' FROM ctx "
        "WHERE table_name = ? AND resolution = 'loaded' AND resolved_at = ctx.observed_at",
        [table.name],
    )


def _replay_lines(
    con: duckdb.DuckDBPyConnection, table: Table, rows: list[QuarantinedRecord], context: Context
) -> None:
    """Lines of arrays: their parents are loaded and stay as they are."""
    staging.set_context(con, context)
    field_notes.begin(con)
    columns = {
        "parent_id": [record.parent_id for record in rows],
        "id": [record.record_id for record in rows],
        "hash": [_hash(table, record) for record in rows],
        "record": [record.record for record in rows],
    }
    con.register("arriving", pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}))
    # A line may look its parent up among what is staged: nothing is, and it has to do without.
    staging.load_staging(con, _PARENTS[table.name], "(SELECT * FROM arriving WHERE false)")
    staging.load_staging(con, table, "arriving", into="incoming_child")
    field_notes.record_untyped(con, table, "incoming_child")
    field_notes.record(con)
    con.execute("CREATE OR REPLACE TEMP TABLE newest AS SELECT parent_id, id, hash FROM arriving")
    con.unregister("arriving")
    merge.merge_staged_lines(con, table)
    quarantine.resolve_records(con, table, everything=False)


def _hash(table: Table, record: QuarantinedRecord) -> str:
    """As the load makes it: of the landed text, or of the JSON of a line."""
    if table.name in _PARENTS and record.parent_id is not None:
        return hashlib.md5(record.record.encode(), usedforsecurity=False).hexdigest()
    return content_hash(record.record.encode())


def _count_open(con: duckdb.DuckDBPyConnection, name: str, clinic_id: str | None, region: str | None) -> int:
    return sum(
        (record.table, record.clinic_id, record.region) == (name, clinic_id, region)
        for record in quarantine.open_records(con)
    )


def _server(con: duckdb.DuckDBPyConnection, clinic_id: str | None, region: str | None) -> str:
    """Whose records these are; a region's catalog is read from the clinics of one server."""
    row = con.execute(
        "SELECT server FROM ops.pulls WHERE if(? IS NULL, region = ?, clinic_id = ?) "
        "ORDER BY observed_at DESC NULLS LAST LIMIT 1",
        [clinic_id, region, clinic_id],
    ).fetchone()
    return str(row[0]) if row else ""
