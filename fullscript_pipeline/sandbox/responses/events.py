"""What the endpoints of events and of webhook deliveries answer. What does not belong here: making either of them."""

from fullscript_pipeline.sandbox.pages import day_filter, sorted_by
from fullscript_pipeline.sandbox.responses.clinic import (
    CATALOG,
    CLINIC,
    ORDERS,
    PATIENTS,
    PLANS,
    Answer,
    Call,
    Listing,
    MissingScopeError,
    WrappedRecord,
    look_up,
    read_choice,
)

# The scope of an event is that of the object it is about.
EVENT_SCOPES = {
    "patient": PATIENTS,
    "treatment_plan": PLANS,
    "order": ORDERS,
    "lab_order": ORDERS,
    "product": CATALOG,
    "clinic_key": CLINIC,
}
DELIVERY_KEYS = {"event_id": "event_id", "attempted_at": "attempted_at"}


def scope_of(event_type: str) -> str:
    """The scope that an event of a type requires."""
    return EVENT_SCOPES[event_type.partition(".")[0]]


def events(prefix: str, *, typed: bool = True) -> Answer:
    """Lists the events whose type starts with `prefix`; `typed` feeds may be filtered and sorted by type."""
    keys = {"created_at": "created_at"} | ({"event_type": "type"} if typed else {})

    def answer(call: Call) -> Listing:
        listed = [event for event in call.clinic.events.values() if event.type.startswith(f"{prefix}.")]
        if typed and (kind := call.params.get("event_type")) is not None:
            listed = [event for event in listed if event.type == kind]
        if accepts := day_filter(call.params, "created_at", call.days):
            listed = [event for event in listed if accepts(event.at.astimezone(call.days.zone).date())]
        return Listing(key="events", rows=sorted_by([event.row for event in listed], call.params, keys))

    return answer


def event(call: Call) -> WrappedRecord:
    """One event with its data; requires the scope of the object it is about."""
    stored = look_up(call.clinic.events, call)
    if (scope := scope_of(stored.type)) not in call.scopes:
        raise MissingScopeError(scope)
    return WrappedRecord(key="event", record={**stored.row, "data": stored.data})


def deliveries(call: Call) -> Listing:
    """Every attempt to deliver a webhook about this clinic in the last 30 days."""
    params, rows = call.params, call.clinic.deliveries
    if (event_id := params.get("event_id")) is not None:
        rows = [row for row in rows if row["event_id"] == event_id]
    if was_delivered := read_choice(call, "successfully_delivered", "", ("", "true", "false")):
        rows = [row for row in rows if row["successfully_delivered"] is (was_delivered == "true")]
    if accepts := day_filter(params, "attempted_at", call.days):
        rows = [row for row in rows if accepts(call.days.day_of(row["attempted_at"]))]
    stored = call.clinic.events
    shown = [
        {**row, "event_payload": {"event": {**stored[row["event_id"]].row, "data": stored[row["event_id"]].data}}}
        for row in rows
        if row["event_id"] in stored
    ]
    return Listing(key="webhook_deliveries", rows=sorted_by(shown, params, DELIVERY_KEYS))
