"""The objects of the sandbox's world: catalogs and clinics with their patients, plans, orders, labs and events.

Records are stored as the dictionaries that the API returns. What only the sandbox knows (a patient's habits, when the
next order is due) is stored beside them. What does not belong here: how objects are created (`catalog`, `people`) or
change (`catalog_simulator`, `day_simulator`), and HTTP.
"""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from fullscript_pipeline.sandbox.seeded_random import new_id, utc_text
from fullscript_pipeline.sandbox.word_lists import Formula

Record = dict[str, Any]
Tally = Counter[str]

# Events can be listed and read for this long (vendor: "Events", last 30 days).
EVENT_DAYS = 30


class Withdrawn(NamedTuple):
    """A product that was removed from a catalog, and may return as it was."""

    product: Record
    topic: str
    traits: frozenset[str]


@dataclass(kw_only=True)
class Catalog:
    """A region's catalog. `vocabularies`: the small id-and-name lists by path segment, brands among them.

    `traits`: the vocabulary ids a product answers to in a search. `protocols` and `resources` are Fullscript's own.
    """

    region: str
    vocabularies: dict[str, dict[str, Record]]
    unmade: list[tuple[str, Formula]]
    products: dict[str, Record] = field(default_factory=dict)
    topics: dict[str, str] = field(default_factory=dict)
    variants: dict[str, tuple[Record, Record]] = field(default_factory=dict)
    traits: dict[str, frozenset[str]] = field(default_factory=dict)
    protocols: dict[str, Record] = field(default_factory=dict)
    resources: dict[str, Record] = field(default_factory=dict)
    removed: list[Withdrawn] = field(default_factory=list)

    def add(self, product: Record, topic: str, traits: frozenset[str] = frozenset()) -> None:
        """Puts a product and its variants on sale."""
        self.traits[product["id"]] = traits
        self.products[product["id"]] = product
        self.topics[product["id"]] = topic
        for variant in product["variants"]:
            self.variants[variant["id"]] = (variant, product)

    def remove(self, product: Record) -> None:
        """Takes a product off: from now on it is a 404 and missing from every list."""
        key = str(product["id"])
        self.removed.append(Withdrawn(product, self.topics[key], self.traits[key]))
        del self.products[key], self.topics[key], self.traits[key]
        for variant in product["variants"]:
            del self.variants[variant["id"]]


@dataclass(kw_only=True)
class Patient:
    """A patient and how faithfully they buy: regular, gappy, early or never.

    `account_holder_id`: who orders their plans on an account of their own (a guardian, a partner); None: they do.
    `takes_other_size`: they buy another pack of the product than the recommended one.
    """

    record: Record
    habit: str
    first_plan_on: date | None
    account_holder_id: str | None = None
    takes_other_size: bool = False

    @property
    def id(self) -> str:
        """The vendor's id."""
        return str(self.record["id"])


@dataclass(kw_only=True)
class Plan:
    """A treatment plan, how many days one order of it lasts, and when that order is due (None: never again)."""

    record: Record
    supply_days: int
    activate_on: date | None = None
    next_order_on: date | None = None

    @property
    def id(self) -> str:
        """The vendor's id."""
        return str(self.record["id"])

    @property
    def patient_id(self) -> str:
        """The id of the patient the plan is for."""
        return str(self.record["patient"]["id"])

    @property
    def is_active(self) -> bool:
        """Whether it has been sent and not been cancelled."""
        return bool(self.record["state"] == "active")


@dataclass(kw_only=True)
class Lab:
    """A lab order; `row` is what lists show, `tests` and `results` are in the detail only."""

    row: Record
    tests: list[Record]
    needs_appointment: bool
    results: list[Record] = field(default_factory=list)
    next_step_on: date | None = None


@dataclass(kw_only=True)
class Event:
    """Something that happened, with the API object as it was then."""

    id: str
    type: str
    at: datetime
    clinic_id: str | None
    data: Record

    @property
    def row(self) -> Record:
        """The event as lists show it: everything but the data."""
        row: Record = {"id": self.id, "type": self.type, "created_at": utc_text(self.at)}
        return row if self.clinic_id is None else {**row, "clinic_id": self.clinic_id}


@dataclass(kw_only=True)
class Protocol:
    """A plan kept for re-use: by its author, and by whom it is shared with (practitioner ids)."""

    record: Record
    owner_id: str
    shared_with: frozenset[str]


class User(NamedTuple):
    """Who authorised the app: a practitioner or a member of staff."""

    id: str
    type: str


@dataclass(kw_only=True)
class SandboxClinic:
    """One clinic and everything only its own users may see. `resources` are listed by practitioner.

    `through_api`: ids of what the integration itself changed, and the day it last did; there is no event.
    """

    slug: str
    server: str
    zone: ZoneInfo
    catalog: Catalog
    info: Record
    practitioners: dict[str, Record]
    staff: dict[str, Record]
    categories: dict[str, Record]
    custom_dosages: dict[str, Record]
    patients: dict[str, Patient] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    plans_of: dict[str, list[Plan]] = field(default_factory=dict)
    orders: dict[str, Record] = field(default_factory=dict)
    labs: dict[str, Lab] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    protocols: dict[str, Protocol] = field(default_factory=dict)
    resources: dict[str, list[Record]] = field(default_factory=dict)
    denied_brands: frozenset[str] = frozenset()
    deliveries: list[Record] = field(default_factory=list)
    through_api: dict[str, date] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The vendor's id."""
        return str(self.info["id"])

    @property
    def owner_id(self) -> str:
        """The practitioner who authorises the app: the first of the clinic."""
        return next(iter(self.practitioners))

    def user(self, login: str) -> User | None:
        """The user of a login: "" is the owner, `practitioner-2` the second of them, `staff-1` the first of staff."""
        kind, _, number = (login or "practitioner-1").partition("-")
        people = {"practitioner": list(self.practitioners), "staff": list(self.staff)}.get(kind, [])
        if not (number.isascii() and number.isdigit() and 0 < int(number[:4]) <= len(people)):
            return None
        return User(people[int(number) - 1], kind.capitalize())

    @property
    def has_labs(self) -> bool:
        """Labs are sold in the United States only."""
        return self.catalog.region == "us"

    def in_category(self, category_id: str) -> list[Record]:
        """The catalog's products in a category of this clinic, by name."""
        topic = self.categories[category_id]["name"]
        rows = [
            self.catalog.products[key] for key, product_topic in self.catalog.topics.items() if product_topic == topic
        ]
        return sorted(rows, key=lambda row: (str(row["name"]), str(row["id"])))

    def record_event(
        self, rng: Random, kind: str, at: datetime, event_data: Record, *, names_clinic: bool = True
    ) -> None:
        """Records an event with a copy of `data`."""
        event = Event(
            id=new_id(rng), type=kind, at=at, clinic_id=self.id if names_clinic else None, data=deepcopy(event_data)
        )
        self.events[event.id] = event

    def sort_events(self, now: datetime) -> None:
        """Orders the events by time and drops those that are too old to be read."""
        recent = [event for event in self.events.values() if event.at >= now - timedelta(days=EVENT_DAYS)]
        self.events = {event.id: event for event in sorted(recent, key=lambda event: event.at)}


@dataclass(kw_only=True)
class World:
    """All of it, as of the end of `day` (noon UTC)."""

    seed: int
    start: date
    day: date
    catalogs: dict[str, Catalog]
    clinics: dict[str, SandboxClinic]

    def age(self, day: date) -> int:
        """Days since the start day; history is negative or zero."""
        return (day - self.start).days
