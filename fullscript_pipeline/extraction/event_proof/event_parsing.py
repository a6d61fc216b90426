"""Parses an event's record, in every nesting that is documented or plausible: its type, time and object.

What does not belong here: listing events (`event_feeds`), deciding what to fetch for them (`refresh`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from fullscript_pipeline.event_types import EVENT_FAMILIES, PRODUCT_CREATED, event_family
from fullscript_pipeline.ids import first_usable, id_text
from fullscript_pipeline.state import LedgerEvent
from fullscript_pipeline.warehouse import Line, canonical, content_hash

# Product payloads name variants and no product: the ledger keeps this prefix and a variant's id until it is resolved.
VARIANT = "variant:"
# An earlier year is a sentinel, not a time.
EARLIEST_YEAR = 2000
# The names under which an event's data may hold its object, by the prefix of its type.
OBJECTS: Mapping[str, tuple[str, ...]] = {family.prefix: family.object_names for family in EVENT_FAMILIES}


@dataclass(frozen=True, kw_only=True)
class SeenEvent:
    """An event as a feed lists it. `type` may be missing there; `resource_id` is known from the detail only."""

    event_id: str
    type: str | None
    created_at: str | None
    resource_id: str | None = None


def parse_event(line: Line) -> SeenEvent:
    record = orjson.loads(line.record)
    kind = record.get("type")
    return SeenEvent(
        event_id=line.id,
        type=kind if isinstance(kind, str) else None,
        created_at=event_time(record),
        resource_id=object_id_in(record),
    )


def event_time(record: Mapping[str, Any]) -> str | None:
    """Returns the time of an event as written; None when it is no time, or a sentinel."""
    value = record.get("created_at")
    text = value.strip() if isinstance(value, str) else ""
    try:
        return text if date.fromisoformat(text[:10]).year >= EARLIEST_YEAR else None
    except ValueError:
        return None


def line_from_ledger(event: LedgerEvent) -> Line:
    """Returns a ledger event as a feed would list it, with its object when a payload named it."""
    record: dict[str, Any] = {"id": event.event_id, "type": event.event_type, "created_at": event.created_at}
    if not (event.event_type or "").startswith(PRODUCT_CREATED.pattern):
        record["clinic_id"] = event.clinic_id
    if event.resource_id and not event.resource_id.startswith(VARIANT):
        record["resource_id"] = event.resource_id
    record["seen_by"] = event.seen_by
    text = canonical(record)
    return Line(event.event_id, None, content_hash(text), text)


def object_id_in(record: Mapping[str, Any]) -> str | None:
    """Returns the id of the event's object; None when it has none that can be requested.

    The data is the object, or holds it under its name. Other objects in the data (a plan's patient) do not count.
    """
    return first_usable(_object_id_candidates(record))


def has_unusable_object_id(record: Mapping[str, Any]) -> bool:
    """Whether the event names an object, but with an id that cannot be requested."""
    named = _object_id_candidates(record)
    return first_usable(named) is None and any(id_text(value) is not None for value in named)


def _object_id_candidates(record: Mapping[str, Any]) -> list[object]:
    data, kind = record.get("data"), type_prefix(record)
    inside = data if isinstance(data, dict) else {}
    names = OBJECTS.get(kind, () if inside.get("id") else tuple(OBJECTS))
    nested = [child.get("id") if isinstance(child := inside.get(name), dict) else None for name in names]
    candidates = [record.get("resource_id"), *nested[:1], inside.get("id"), *nested[1:]]
    return candidates + [where.get(f"{name}_id") for where in (inside, record) for name in names[:1] if kind in OBJECTS]


def iter_values(data: Any) -> Iterator[str]:
    """Yields every value of an event's data, at any depth, as text: an undocumented event may name its objects under
    any key."""
    if isinstance(data, dict | list):
        for child in data.values() if isinstance(data, dict) else data:
            yield from iter_values(child)
    elif data is not None and not isinstance(data, bool):
        yield str(data)


def type_prefix(record: Mapping[str, Any]) -> str:
    """Returns the prefix of the type, which names the kind of object; '' without a type."""
    name = str(record.get("type") or "")
    family = event_family(name)
    return family.prefix if family else name.partition(".")[0]
