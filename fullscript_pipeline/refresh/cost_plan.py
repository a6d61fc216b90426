"""The cheapest way to what events are about: plain arithmetic on requests, no I/O.

Per feed either one detail for each event whose object is not known and one read per object, or the list again: orders
by window, patients whole, products through the catalog's own pull. Plans always have their details: the event's day
dates the change. What does not belong here: asking (`event_handling`).
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
# Orders are completed shortly before their event; the filter's own two days of overlap come on top.
BEFORE_THE_EVENT = timedelta(days=1)
# Before any order.
THE_BEGINNING = date(2000, 1, 1)
# More product events than this are a new catalog: it is pulled as on every morning.
MOST_PRODUCT_EVENTS = 300


@dataclass(frozen=True)
class StoredCounts:
    """What the warehouse has, as far as prices go. `thin`: families whose lists come without what we need;
    `orders_listed_on`: when all orders since some day were last listed to the end."""

    patients: int = 0
    orders_since: Callable[[date], int] = lambda _: 0
    incomplete_lists: frozenset[str] = frozenset()
    orders_listed_on: date | None = None


@dataclass(frozen=True)
class RefreshStrategy:
    """What to ask. `details`: event ids; `known`: objects by family whose ids are known already, those included that a
    list is going to show: what it lacks is read by id."""

    details: tuple[str, ...]
    known: Mapping[str, tuple[str, ...]]
    orders_from: date | None = None
    lists_patients: bool = False
    pulls_catalog: bool = False


def is_product_event(event: LedgerEvent) -> bool:
    return family_of(event) == "products"


def family_of(event: LedgerEvent) -> str | None:
    """The family by the event's type, else by the feed that listed it; None for what neither of them tells."""
    family = event_family(event.event_type)
    if family is not None:
        return family.name
    return next((family.name for family in EVENT_FAMILIES if family.feed.name == event.feed), None)


def choose_strategy(
    events: Iterable[LedgerEvent], stored: StoredCounts, today: date, *, details_read: bool = False
) -> RefreshStrategy:
    """The cheaper way for each family. `told`: the details have been read, and no event will name its object later: its
    family is listed."""
    # A feed that lists ids only does not say what happened, or when: the detail does.
    by_family: dict[str, list[LedgerEvent]] = {family: [] for family in FAMILY_NAMES}
    nameless = []
    for event in events:
        if family := family_of(event):
            by_family[family].append(event)
        if event.event_type is None and event.resource_id is None and family != "products":
            nameless.append(event.event_id)
        elif Also.BELONGINGS in row_of(event.event_type).also:
            nameless.append(event.event_id)  # its data names more than one object
    orders_from = _orders_from(by_family["orders"], stored, today, details_read=details_read)
    patients_cost = _request_cost(by_family["patients"])
    unnamed = details_read and any(_unnamed_event_ids(by_family["patients"]))
    lists_patients = (
        unnamed or patients_cost > _page_count(stored.patients)
    ) and "patients" not in stored.incomplete_lists
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
        tuple(dict.fromkeys((*nameless, *named_later))),
        {
            family: _object_ids([] if family == "products" and pulls_catalog else by_family[family])
            for family in FAMILY_NAMES
        },
        orders_from,
        lists_patients,
        pulls_catalog,
    )


def poll_seconds(clinics: int, feeds: int) -> float:
    """How long to wait between looks, so that idle looks take at most a tenth of the budget (475 of 4,750 in 300 s)."""
    return max(15.0, clinics * feeds * 300 / 475)


def _orders_from(
    events: Sequence[LedgerEvent], stored: StoredCounts, today: date, *, details_read: bool
) -> date | None:
    """The day from which the orders are listed again, when that is cheaper.

    An unknown time is any time since the last complete look.
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
    """The day on which it happened, as written; None when it does not say."""
    try:
        return date.fromisoformat((event.created_at or "")[:10])
    except ValueError:
        return None


def _events_to_name(events: Sequence[LedgerEvent]) -> list[str]:
    """Events of a listed family whose details are read so that the object of each is known. Of very many none at first,
    as the list brings them all, then some with every further try."""
    unnamed = list(_unnamed_event_ids(events))
    if len(unnamed) <= MOST_DETAILS:
        return unnamed
    return unnamed[:MOST_DETAILS] if any(event.attempts for event in events) else []


def _request_cost(events: Sequence[LedgerEvent]) -> int:
    """A detail for each event that names no object, a read for each object. Details that are read anyway are free."""
    unknown = [event for event in events if event.resource_id is None]
    return sum(1 if event.event_type is None else 2 for event in unknown) + len(_object_ids(events))


def _unnamed_event_ids(events: Iterable[LedgerEvent]) -> Iterator[str]:
    return (event.event_id for event in events if event.resource_id is None)


def _object_ids(events: Sequence[LedgerEvent]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event.resource_id for event in events if event.resource_id is not None))


def _page_count(rows: int) -> int:
    return max(1, ceil(rows / PAGE))


def is_variant(resource_id: str) -> bool:
    """A product event's hint: a variant, not the product."""
    return resource_id.startswith(VARIANT)
