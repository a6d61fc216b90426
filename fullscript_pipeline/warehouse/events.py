"""What happened, as the vendor's feeds tell it: the warehouse's copy of the event ledger."""

from fullscript_pipeline.warehouse.tables import Table, day, instant, text

# The object an event is about: what we found out (products name none), nested under its name, or (order.placed) the
# data itself.
RESOURCE_PATHS = (
    "resource_id",
    "data.treatment_plan.id",
    "data.patient.id",
    "data.order.id",
    "data.lab_order.id",
    "data.product.id",
    "data.id",
)

EVENTS = Table(
    "events",
    "clinic",
    key=("event_id",),
    columns=(
        text("event_type", "type"),
        instant("created_at"),
        day("created_on", "created_at"),
        text("resource_id", *RESOURCE_PATHS),
        text("integration_id"),
        text("seen_by"),
        instant("processed_at"),
    ),
    untyped=("data", "clinic_id"),
)
