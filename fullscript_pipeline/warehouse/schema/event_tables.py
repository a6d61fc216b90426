"""What happened, as the vendor's feeds tell it: the warehouse's copy of the event ledger.

What does not belong here: the ledger itself (`state.event_ledger`), the outcome of an event (`event_log`).
"""

from fullscript_pipeline.warehouse.schema.table_description import Column, Kind, Table, day, ident, instant, text

EVENTS = Table(
    "events",
    "clinic",
    key=("event_id",),
    columns=(
        text("event_type", "type"),
        instant("created_at"),
        day("created_on", "created_at"),
        ident("resource_id"),
        text("integration_id"),
        text("seen_by"),
        # What became of it, told by loads (`event_proof`), never by a record.
        Column("processed_at", Kind.INSTANT, sql="NULL::TIMESTAMPTZ"),
        Column("outcome", sql="NULL::VARCHAR"),
        Column("last_try_at", Kind.INSTANT, sql="NULL::TIMESTAMPTZ"),
    ),
    untyped=("data", "clinic_id"),
)
