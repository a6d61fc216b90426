"""The vendor's events in one table: which kinds of object have them, and what each type makes us read again.

A test holds docs/operations.md and docs/fullscript-api/events.md against it, both ways.
What does not belong here: reading anything (`extraction`, `refresh`), what a payload holds (`event_records`).
"""

import re
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from fullscript_pipeline.resources import ALL_RESOURCES
from fullscript_pipeline.resources.types import EventFamily


class Also(Enum):
    """What is read again besides the object that an event is about."""

    LAB_ORDERS = "the patient's lab orders, where the object holds a lab or does not say whether it does"
    TIE = "whose dependent the patient is, where the patient's record does not say"
    BELONGINGS = "the orders, plans and lab orders stored under every patient that the event names"
    NOTICE = "nothing; the clinic is named in `doctor`, the check and an alert"


@dataclass(frozen=True, kw_only=True)
class EventType:
    """A row of the table; the first whose `pattern` matches counts. `source` says where the rule is from."""

    pattern: str
    happened: str
    also: tuple[Also, ...] = ()
    source: str = "documented"

    @property
    def is_documented(self) -> bool:
        return "*" not in self.pattern


EVENT_FAMILIES: tuple[EventFamily, ...] = tuple(
    resource.events for resource in ALL_RESOURCES if resource.events is not None
)
# Those whose objects are read again.
FAMILY_NAMES = tuple(family.name for family in EVENT_FAMILIES if family.name)

# Types that mean more to the program than what is read again.
PRODUCT_CREATED = EventType(pattern="product.created", happened="a product came into the catalog")
KEY_ACTIVATED = EventType(
    pattern="clinic_key.activated",
    happened="an old integration was first used",
    source="documented; nothing depends on it",
)
KEY_REVOKED = EventType(pattern="clinic_key.revoked", happened="the clinic withdrew its key", also=(Also.NOTICE,))

_LIKE_ITS_KIND = "not documented; handled like the other types of its kind"

# Add an event type here, before the patterns: one line. Its family follows from the beginning of the type.
TYPES = (
    EventType(pattern="patient.created", happened="a patient was added"),
    EventType(pattern="patient.updated", happened="an attribute of a patient changed"),
    EventType(pattern="patient.emancipated", happened="a dependent became independent", also=(Also.TIE,)),
    EventType(
        pattern="patient.*merg*",
        happened="two patients became one",
        also=(Also.BELONGINGS,),
        source="not documented, tolerated",
    ),
    EventType(
        pattern="treatment_plan.created",
        happened="a plan was activated",
        also=(Also.LAB_ORDERS,),
        source="documented: activation lets the patient buy the plan's labs",
    ),
    EventType(
        pattern="treatment_plan.updated",
        happened="a plan was cancelled",
        also=(Also.LAB_ORDERS,),
        source="documented; lab orders inferred",
    ),
    EventType(
        pattern="treatment_plan.recommendation.updated",
        happened="a line of an active plan changed",
        also=(Also.LAB_ORDERS,),
        source="documented; lab orders inferred",
    ),
    EventType(
        pattern="order.placed",
        happened="a patient bought something",
        also=(Also.LAB_ORDERS,),
        source="documented: the only sign that a lab was bought",
    ),
    EventType(pattern="lab_order.updated", happened="a result came or was amended"),
    PRODUCT_CREATED,
    EventType(pattern="product.updated", happened="a product or one of its variants changed"),
    EventType(pattern="product.description.updated", happened="a product's description changed"),
    KEY_ACTIVATED,
    KEY_REVOKED,
    EventType(pattern="patient.*", happened="unknown", source=_LIKE_ITS_KIND),
    EventType(
        pattern="treatment_plan.*",
        happened="unknown",
        also=(Also.LAB_ORDERS,),
        source=_LIKE_ITS_KIND,
    ),
    EventType(pattern="order.*", happened="unknown", also=(Also.LAB_ORDERS,), source=_LIKE_ITS_KIND),
    EventType(pattern="lab_order.*", happened="unknown", source=_LIKE_ITS_KIND),
    EventType(pattern="product.*", happened="unknown", source=_LIKE_ITS_KIND),
    EventType(pattern="*", happened="unknown", also=(Also.NOTICE,), source="not documented"),
)
_BY_PREFIX = {family.prefix: family for family in EVENT_FAMILIES}
_INSIDE_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|[ -]")


def event_family(event_type: str | None) -> EventFamily | None:
    """The family that a type names by its beginning, in any case, number or hyphenation; None for no resource's."""
    return _BY_PREFIX.get(_normalized(event_type).partition(".")[0])


def row_of(event_type: str | None) -> EventType:
    """The row of the table that a type falls under; the last one fits everything."""
    name = _normalized(event_type)
    return next(row for row in TYPES if fnmatchcase(name, row.pattern))


def _normalized(event_type: str | None) -> str:
    """The type as documented types are written: `Orders.placed` is `order.placed`."""
    head, dot, action = _INSIDE_WORDS.sub("_", (event_type or "").strip()).lower().partition(".")
    return (head if head in _BY_PREFIX else head.removesuffix("s")) + dot + action
