"""What happened, as the vendor's feeds tell it: the warehouse's copy of the event ledger.

What does not belong here: the types of events (`event_types`), the families that objects have (their own modules).
"""

from fullscript_pipeline.resources.types import (
    Column,
    Kind,
    RequestRule,
    Resource,
    Table,
    day,
    detail,
    ident,
    instant,
    text,
)

EVENTS = Table(
    name="events",
    scope="clinic",
    key=("event_id",),
    columns=(
        text("event_type", "type"),
        instant("created_at"),
        day("created_on", "created_at"),
        ident("resource_id"),
        text("integration_id"),
        text("seen_by"),
        # What became of it, told by loads (`event_proof`), never by a record.
        Column(name="processed_at", kind=Kind.INSTANT, sql="NULL::TIMESTAMPTZ"),
        Column(name="outcome", sql="NULL::VARCHAR"),
        Column(name="last_try_at", kind=Kind.INSTANT, sql="NULL::TIMESTAMPTZ"),
    ),
    untyped=("data", "clinic_id"),
)

EVENTS_RESOURCE = Resource(
    name="events",
    texts={"events": "What happened in the last 30 days, by id; plan events with their plan and date."},
    tables=(EVENTS,),
    endpoints=(detail("event", "/events/{id}", None),),
    source="GET /events/*, GET /events/{id}",
    scope="the scope of each object",
    group="events",
    contains_phi=False,
    cadence="Daily, and between days by the event sensor",
    request_rules=(
        RequestRule(
            requests="GET /events/{id}",
            number="one per new plan event; in a catalog pull one per product event since the last poll (at most "
            "300); in a refresh also one per event that names no object, unless more than 100 are listed anyway; "
            "none where a webhook or the list of deliveries brought the payload",
            why="a feed lists ids; the detail names the object, and the day a plan changed",
        ),
        RequestRule(
            requests="GET /events/*",
            number="one or more pages per feed",
            why="read from two days before the last poll, or from before the newest known event where that is older: "
            "edges and time zone of the filter are not documented, and the server's clock may differ. A poll reads "
            "newest first and stops where nothing is new. The hourly reconcile reads to the end. A region's products "
            "are polled through one clinic",
        ),
    ),
)
