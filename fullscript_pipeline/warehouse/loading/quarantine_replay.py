"""Types quarantined records again with the current table descriptions, and loads those that can be typed now.

What does not belong here: why a record cannot be typed (`record_typing`), how else it is resolved (`quarantine`).
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
from fullscript_pipeline.warehouse.loading import merge, pull_log, quarantine, staging
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.loading.load_context import Context
from fullscript_pipeline.warehouse.loading.quarantine import QuarantinedRecord

_TABLES = {table.name: table for table in ALL_TABLES}
_PARENTS = {child.table.name: table for table in ALL_TABLES for child in table.children}


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """The result for the records of one table; `left` is the number that still cannot be typed."""

    table: str
    clinic_id: str | None
    loaded: int
    left: int


def replay(con: duckdb.DuckDBPyConnection, now: datetime, clinic_keys: Mapping[str, str]) -> list[Replayed]:
    """Loads what can be typed now, in the caller's transaction, as observed at `now` (or at the last observation).

    `clinic_keys`: the clinic key by the vendor's id. Records of a table that no longer exists stay.
    """
    last = pull_log.last_observation(con)
    observed = max(now, last) if last else now
    done = []
    for (name, clinic_id, region), rows in quarantine.by_table(quarantine.open_records(con)).items():
        if name not in _TABLES:
            done.append(Replayed(table=name, clinic_id=clinic_id, loaded=0, left=len(rows)))
            continue
        context = Context(
            server=_server(con, clinic_id, region),
            region=region or "",
            clinic_id=clinic_id,
            clinic_key=clinic_keys.get(clinic_id or ""),
            observed_at=observed,
            pull_id=f"replay-{uuid.uuid4().hex}",
        )
        _replay_table(con, _TABLES[name], rows, context)
        left = _count_open(con, name, clinic_id, region)
        done.append(Replayed(table=name, clinic_id=clinic_id, loaded=len(rows) - left, left=left))
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
    """Replays lines of arrays; their parents are stored already and are not touched."""
    staging.begin_load(con, context)
    columns = {
        "parent_id": [record.parent_id for record in rows],
        "id": [record.record_id for record in rows],
        "hash": [_hash(table, record) for record in rows],
        "record": [record.record for record in rows],
    }
    con.register("arriving", pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}))
    # The typing of a line may join the staged parents; the empty table stands in for them.
    staging.load_staging(con, _PARENTS[table.name], "(SELECT * FROM arriving WHERE false)")
    staging.load_staging(con, table, "arriving", into="incoming_child")
    staging.note_untyped(con, table, "incoming_child")
    staging.record_noted_fields(con)
    con.execute("CREATE OR REPLACE TEMP TABLE newest AS SELECT parent_id, id, hash FROM arriving")
    con.unregister("arriving")
    merge.merge_staged_lines(con, table)
    quarantine.resolve_records(con, table, everything=False)


def _hash(table: Table, record: QuarantinedRecord) -> str:
    """The hash as a load computes it: of the landed text, or of the JSON of a line."""
    if table.name in _PARENTS and record.parent_id is not None:
        return hashlib.md5(record.record.encode(), usedforsecurity=False).hexdigest()
    return content_hash(record.record.encode())


def _count_open(con: duckdb.DuckDBPyConnection, name: str, clinic_id: str | None, region: str | None) -> int:
    return sum(
        (record.table, record.clinic_id, record.region) == (name, clinic_id, region)
        for record in quarantine.open_records(con)
    )


def _server(con: duckdb.DuckDBPyConnection, clinic_id: str | None, region: str | None) -> str:
    """The server that these records came from; a region's catalog is read from the clinics of one server."""
    row = con.execute(
        "SELECT server FROM ops.pulls WHERE if(? IS NULL, region = ?, clinic_id = ?) "
        "ORDER BY observed_at DESC NULLS LAST LIMIT 1",
        [clinic_id, region, clinic_id],
    ).fetchone()
    return str(row[0]) if row else ""
