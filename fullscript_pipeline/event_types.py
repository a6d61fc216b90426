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

    LAB_ORDERS = "the patient's lab orders, where the object holds a lab or does not say"
    TIE = "whose dependent the patient is, where the patient's record does not say"
    BELONGINGS = "the orders, plans and lab orders stored under every patient that the event names"
    NOTICE = "nothing; the clinic is named in `doctor`, the check and an alert"


@dataclass(frozen=True)
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
PRODUCT_CREATED = EventType("product.created", "a product came into the catalog")
KEY_ACTIVATED = EventType(
    "clinic_key.activated", "an old integration was first used", (), "documented; nothing hangs on it"
)
KEY_REVOKED = EventType("clinic_key.revoked", "the clinic withdrew its key", (Also.NOTICE,))

# Add an event type here, before the patterns: one line. Its family follows from the beginning of the type.
TYPES = (
    EventType("patient.created", "a patient was added"),
    EventType("patient.updated", "an attribute of a patient changed"),
    EventType("patient.emancipated", "a dependent became independent", (Also.TIE,)),
    EventType("patient.*merg*", "two patients became one", (Also.BELONGINGS,), "not documented, tolerated"),
    EventType(
        "treatment_plan.created",
        "a plan was activated",
        (Also.LAB_ORDERS,),
        "documented: activation lets the patient buy the plan's labs",
    ),
    EventType("treatment_plan.updated", "a plan was cancelled", (Also.LAB_ORDERS,), "documented; lab orders inferred"),
    EventType(
        "treatment_plan.recommendation.updated",
        "a line of an active plan changed",
        (Also.LAB_ORDERS,),
        "documented; lab orders inferred",
    ),
    EventType(
        "order.placed",
        "a patient bought something",
        (Also.LAB_ORDERS,),
        "documented: the only sign that a lab was bought",
    ),
    EventType("lab_order.updated", "a result came or was amended"),
    PRODUCT_CREATED,
    EventType("product.updated", "a product or one of its variants changed"),
    EventType("product.description.updated", "a product's description changed"),
    KEY_ACTIVATED,
    KEY_REVOKED,
    EventType("patient.*", "unknown", (), "not documented, read like its kind"),
    EventType("treatment_plan.*", "unknown", (Also.LAB_ORDERS,), "not documented, read like its kind"),
    EventType("order.*", "unknown", (Also.LAB_ORDERS,), "not documented, read like its kind"),
    EventType("lab_order.*", "unknown", (), "not documented, read like its kind"),
    EventType("product.*", "unknown", (), "not documented, read like its kind"),
    EventType("*", "unknown", (Also.NOTICE,), "not documented"),
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
