"""Chooses how to fetch the objects of events with the fewest requests: plain arithmetic, no I/O.

For each family it is either a detail per event without a known object and a read per object, or the list: orders of a
window, all patients, products through the catalog's own pull. Details of plan events are always read, since the day of
the event dates the change. What does not belong here: sending requests (`event_handling`, `object_fetch`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil

from fullscript_pipeline.event_types import EVENT_FAMILIES, FAMILY_NAMES, Also, event_family, row_of
from fullscript_pipeline.extraction.event_proof import VARIANT
from fullscript_pipeline.extraction.pulls import MOST_DETAILS
from fullscript_pipeline.state import LedgerEvent

PAGE = 100
# Orders are completed shortly before their event. The filter adds its own overlap of two days.
BEFORE_THE_EVENT = timedelta(days=1)
# Earlier than any order.
THE_BEGINNING = date(2000, 1, 1)
# More product events than this are a new catalog: the whole catalog is pulled.
MOST_PRODUCT_EVENTS = 300


@dataclass(frozen=True, kw_only=True)
class StoredCounts:
    """The numbers of stored rows that costs depend on. `incomplete_lists`: families whose lists lack needed fields;
    `orders_listed_on`: the day of the last complete list of orders."""

    patients: int = 0
    orders_since: Callable[[date], int] = lambda _: 0
    incomplete_lists: frozenset[str] = frozenset()
    orders_listed_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class RefreshStrategy:
    """What to fetch. `details`: events whose details are read; `known`: the ids of objects by family, also of those
    that a list will show: what the list lacks is fetched by id."""

    details: tuple[str, ...]
    known: Mapping[str, tuple[str, ...]]
    orders_from: date | None = None
    lists_patients: bool = False
    pulls_catalog: bool = False


def is_product_event(event: LedgerEvent) -> bool:
    return family_of(event) == "products"


def family_of(event: LedgerEvent) -> str | None:
    """Returns the family by the event's type, else by the feed that listed it; None when neither says."""
    family = event_family(event.event_type)
    if family is not None:
        return family.name
    return next((family.name for family in EVENT_FAMILIES if family.feed.name == event.feed), None)


def choose_strategy(
    events: Iterable[LedgerEvent], stored: StoredCounts, today: date, *, details_read: bool = False
) -> RefreshStrategy:
    """Chooses the cheaper way for each family. `details_read`: no event will name its object later, so the family of an
    event without an object is listed."""
    by_family: dict[str, list[LedgerEvent]] = {family: [] for family in FAMILY_NAMES}
    nameless = []
    for event in events:
        if family := family_of(event):
            by_family[family].append(event)
        if _needs_detail(event, family):
            nameless.append(event.event_id)
    orders_from = _orders_from(by_family["orders"], stored, today, details_read=details_read)
    lists_patients = _lists_patients(by_family["patients"], stored, details_read=details_read)
    pulls_catalog = len(by_family["products"]) > MOST_PRODUCT_EVENTS
    listed = {"orders"} if orders_from else set()
    listed |= {"patients"} if lists_patients else set()
    listed |= {"products"} if pulls_catalog else set()
    named_later = [
        event
        for family, family_events in by_family.items()
        if not (family == "products" and pulls_catalog)
        for event in (_events_to_name(family_events) if family in listed else _unnamed_event_ids(family_events))
    ]
    return RefreshStrategy(
        details=tuple(dict.fromkeys((*nameless, *named_later))),
        known={
            family: _object_ids([] if family == "products" and pulls_catalog else by_family[family])
            for family in FAMILY_NAMES
        },
        orders_from=orders_from,
        lists_patients=lists_patients,
        pulls_catalog=pulls_catalog,
    )


def _lists_patients(events: Sequence[LedgerEvent], stored: StoredCounts, *, details_read: bool) -> bool:
    """Whether to list the patients: that is cheaper, or an event without an object will not name it later."""
    unnamed = details_read and any(_unnamed_event_ids(events))
    is_cheaper = unnamed or _request_cost(events) > _page_count(stored.patients)
    return is_cheaper and "patients" not in stored.incomplete_lists


def _needs_detail(event: LedgerEvent, family: str | None) -> bool:
    """Whether only its detail says what happened, or when (a feed may list ids only), or names all of its objects."""
    if event.event_type is None and event.resource_id is None and family != "products":
        return True
    return Also.BELONGINGS in row_of(event.event_type).also


def poll_seconds(clinics: int, feeds: int, *, events_flow: bool = False) -> float:
    """Returns the seconds between polls: they take at most a tenth of the budget (475 of 4,750 in 300 s).

    `events_flow`: there were events lately, so the next are looked for sooner.
    """
    return max(5.0 if events_flow else 15.0, clinics * feeds * 300 / 475)


def _orders_from(
    events: Sequence[LedgerEvent], stored: StoredCounts, today: date, *, details_read: bool
) -> date | None:
    """Returns the day from which to list the orders, when that is cheaper.

    An event without a time may be of any time since the last complete list.
    """
    if not events:
        return None
    days = [_day_of(event) or stored.orders_listed_on or THE_BEGINNING for event in events]
    first = min([*days, today]) - BEFORE_THE_EVENT
    if details_read and any(_unnamed_event_ids(events)):
        return first
    listing = _page_count(stored.orders_since(first) + len(events))
    if "orders" in stored.incomplete_lists:
        listing += len(events)
    return first if listing < _request_cost(events) else None


def _day_of(event: LedgerEvent) -> date | None:
    """Returns the day of the event, as written; None when it has none."""
    try:
        return date.fromisoformat((event.created_at or "")[:10])
    except ValueError:
        return None


def _events_to_name(events: Sequence[LedgerEvent]) -> list[str]:
    """Returns the events of a listed family whose details are read to learn their objects.

    Of very many none at first, since the list brings the objects; then some with every further try."""
    unnamed = list(_unnamed_event_ids(events))
    if len(unnamed) <= MOST_DETAILS:
        return unnamed
    return unnamed[:MOST_DETAILS] if any(event.attempts for event in events) else []


def _request_cost(events: Sequence[LedgerEvent]) -> int:
    """Counts a detail per event without an object, and a read per object. Details that are read anyway cost nothing."""
    unknown = [event for event in events if event.resource_id is None]
    return sum(1 if event.event_type is None else 2 for event in unknown) + len(_object_ids(events))


def _unnamed_event_ids(events: Iterable[LedgerEvent]) -> Iterator[str]:
    return (event.event_id for event in events if event.resource_id is None)


def _object_ids(events: Sequence[LedgerEvent]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event.resource_id for event in events if event.resource_id is not None))


def _page_count(rows: int) -> int:
    return max(1, ceil(rows / PAGE))


def is_variant(resource_id: str) -> bool:
    """Whether the id of a product event is a variant's, not the product's."""
    return resource_id.startswith(VARIANT)
