"""Orders and their lines. What does not belong here: lab orders (`lab_orders`), prices (`products`)."""

from fullscript_pipeline.resources.types import (
    BOTH_COPIES,
    EVENT_FILTERS,
    SORTING,
    Child,
    Column,
    Copy,
    EventFamily,
    Kind,
    RequestRule,
    Resource,
    Table,
    casts,
    day,
    detail,
    instant,
    integer,
    list_of,
    nested_list,
    reference,
    references,
    scopes,
    text,
)

ORDER_LINE_ITEMS = Table(
    name="order_line_items",
    scope="clinic",
    key=("order_id", "position"),
    by_position=True,
    copies=BOTH_COPIES,
    columns=(
        reference("variant_id").published(),
        integer("quantity", strict=True).published(),
        text("line_type", "type").published(),
        text("lab_type"),
    ),
)

# How a refund shows is not documented: any of these words or marks is taken for one.
_IS_REFUNDED = (
    "coalesce(lower(r.state) = 'refunded' OR lower(r.status) = 'refunded'"
    f" OR (r.refunded IS NOT NULL AND {casts.flag('r.refunded')}) OR nullif(r.refunded_at, '') IS NOT NULL, false)"
)
_REFUND_SOURCES = ("state", "status", "refunded", "refunded_at")

ORDERS = Table(
    name="orders",
    scope="clinic",
    key=("order_id",),
    copies=BOTH_COPIES,
    columns=(
        text("order_number"),
        reference("patient_id").published(),
        instant("completed_at", strict=True).published(Copy.PSEUDONYMISED),
        day("completed_on", "completed_at", strict=True).published(),
        Column(name="completed_at_raw", source=("completed_at",)),
        references("treatment_plan_ids").published(),
        Column(name="is_refunded", kind=Kind.FLAG, source=_REFUND_SOURCES, sql=_IS_REFUNDED).published(),
        text("state"),
        text("status"),
        text("refunded_at"),
    ),
    children=(Child(table=ORDER_LINE_ITEMS, array="line_items", parent_column="order_id"),),
    untyped=("patient", "refunded"),
)

ORDERS_RESOURCE = Resource(
    name="orders",
    texts={
        "orders": "Completed and refunded orders.",
        "order_line_items": "The lines of each order: variant and quantity.",
    },
    tables=(ORDERS,),
    endpoints=(
        list_of(
            "orders",
            "/clinic/orders",
            scopes.ORDERS,
            filters=("patient_id", "treatment_plan_id", "completed_at", "type", "order_number", *SORTING),
        ),
        detail("order", "/clinic/orders/{id}", scopes.ORDERS),
        nested_list("patient_orders", "/clinic/patients/{patient_id}/orders", scopes.ORDERS),
    ),
    group="commerce",
    contains_phi=True,
    cadence="Daily: the whole history first, then the trailing days and a share of what is older (refunds raise no "
    "event); any day again",
    has_past_days=True,
    request_rules=(
        RequestRule(
            requests="GET /clinic/orders",
            number="at first all pages; then the last 60 days and the next 1/14 of what is older",
            why="refunds change old orders and raise no event",
        ),
        RequestRule(
            requests="GET /clinic/orders/{id}, GET /clinic/orders?patient_id=",
            number="once per patient who was merged or has left the list: one order, the list of whoever has it now, "
            "the rest by id",
            why="for 14 days nothing else says whose they are",
        ),
    ),
    events=EventFamily(
        prefix="order",
        name="orders",
        feed=list_of("order_events", "/events/orders", scopes.ORDERS, "events", filters=EVENT_FILTERS),
        object_names=("order",),
        table="orders",
    ),
)
