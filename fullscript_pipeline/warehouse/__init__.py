"""Everything that speaks DuckDB: connection, landing, schema, loading, upgrades, copies."""

from fullscript_pipeline.warehouse import future_stamps, lookups
from fullscript_pipeline.warehouse.attachment import lock_is_free
from fullscript_pipeline.warehouse.connection import KEEP_SNAPSHOTS, Warehouse
from fullscript_pipeline.warehouse.future_stamps import count_future
from fullscript_pipeline.warehouse.landing import (
    NAMELESS,
    NO_ID,
    UNKEYED,
    Envelope,
    Line,
    Request,
    canonical,
    content_hash,
    keyed_line,
    make_line,
    parse_line,
    record_key,
)
from fullscript_pipeline.warehouse.lookups import patients_of, rows_in, stored_hashes
from fullscript_pipeline.warehouse.opening import warehouse_of
from fullscript_pipeline.warehouse.warehouse_move import move_into_lake, move_out_of_lake, moved_file

__all__ = [
    "KEEP_SNAPSHOTS",
    "NAMELESS",
    "NO_ID",
    "UNKEYED",
    "Envelope",
    "Line",
    "Request",
    "Warehouse",
    "canonical",
    "content_hash",
    "count_future",
    "future_stamps",
    "keyed_line",
    "lock_is_free",
    "lookups",
    "make_line",
    "move_into_lake",
    "move_out_of_lake",
    "moved_file",
    "parse_line",
    "patients_of",
    "record_key",
    "rows_in",
    "stored_hashes",
    "warehouse_of",
]
