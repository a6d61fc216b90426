"""Orders and their lines. What does not belong here: lab orders (`lab_tables.py`), prices (`catalog_tables.py`)."""

from fullscript_pipeline.warehouse.schema.casts import flag
from fullscript_pipeline.warehouse.schema.table_description import (
    Child,
    Column,
    Kind,
    Table,
    day,
    instant,
    integer,
    reference,
    references,
    text,
)

ORDER_LINE_ITEMS = Table(
    "order_line_items",
    "clinic",
    key=("order_id", "position"),
    by_position=True,
    columns=(
        reference("variant_id"),
        integer("quantity", strict=True),
        text("line_type", "type"),
        text("lab_type"),
    ),
)

# How a refund shows is not documented: any of these words or marks is taken for one.
_IS_REFUNDED = (
    "coalesce(lower(r.state) = 'refunded' OR lower(r.status) = 'refunded'"
    f" OR (r.refunded IS NOT NULL AND {flag('r.refunded')}) OR nullif(r.refunded_at, '') IS NOT NULL, false)"
)
_REFUND_SOURCES = ("state", "status", "refunded", "refunded_at")

ORDERS = Table(
    "orders",
    "clinic",
    key=("order_id",),
    columns=(
        text("order_number"),
        reference("patient_id"),
        instant("completed_at", strict=True),
        day("completed_on", "completed_at", strict=True),
        Column("completed_at_raw", source=("completed_at",)),
        references("treatment_plan_ids"),
        Column("is_refunded", Kind.FLAG, source=_REFUND_SOURCES, sql=_IS_REFUNDED),
        text("state"),
        text("status"),
        text("refunded_at"),
    ),
    children=(Child(ORDER_LINE_ITEMS, "line_items", "order_id"),),
    untyped=("patient", "refunded"),
)
