"""The vendor's attempts to deliver webhooks. What does not belong here: what reached the receiver (`webhooks`)."""

from fullscript_pipeline.resources.types import (
    SORTING,
    Column,
    RequestEstimate,
    RequestRule,
    Resource,
    Table,
    flag,
    instant,
    integer,
    list_of,
    scopes,
    text,
)

WEBHOOK_DELIVERIES = Table(
    name="webhook_deliveries",
    scope="clinic",
    key=("delivery_id",),
    columns=(
        text("event_id", "event_id", "event_payload.event.id"),
        text("event_type", "event_payload.event.type", "event_type"),
        instant("attempted_at"),
        Column(name="attempted_at_raw", source=("attempted_at",)),
        flag("successfully_delivered"),
        integer("attempts"),
        integer("response_status", "response_status", "status_code"),
        text("response_body"),
    ),
    untyped=("event_payload",),
)

WEBHOOK_DELIVERIES_RESOURCE = Resource(
    name="webhook_deliveries",
    texts={"webhook_deliveries": "Attempts to deliver webhooks, of the last 30 days at first, then all that come."},
    tables=(WEBHOOK_DELIVERIES,),
    endpoints=(
        list_of(
            "webhook_deliveries",
            "/webhooks/deliveries",
            None,
            "webhook_deliveries",
            "deliveries",
            filters=("attempted_at", "event_id", "successfully_delivered", *SORTING),
        ),
    ),
    scope=scopes.CLINIC,
    group="clinical",
    contains_phi=True,
    estimate=RequestEstimate(rule="as last time", first_besides=1, why="attempts since the last look"),
    request_rules=(
        RequestRule(
            requests="GET /webhooks/deliveries",
            number="from two days before the last poll",
            why="finds what did not reach the receiver",
        ),
    ),
)
