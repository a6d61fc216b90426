"""The vendor's events in one table: which kinds of object have them, and what each type makes us read again.

A test holds docs/operations.md and docs/fullscript-api/events.md against it, both ways.
What does not belong here: reading anything (`extraction`, `refresh`), what a payload holds (`event_records`).
"""

import re
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase


class Also(Enum):
    """What is read again besides the object that an event is about."""

    LAB_ORDERS = "the patient's lab orders, where the object holds a lab or does not say"
    TIE = "whose dependent the patient is, where the patient's record does not say"
    BELONGINGS = "the orders, plans and lab orders stored under every patient that the event names"
    NOTICE = "nothing; the clinic is named in `doctor`, the check and an alert"


@dataclass(frozen=True)
class ObjectKind:
    """A kind of object that has events.

    `prefix`: how its event types begin; `names`: the keys under which event data may hold it; `family`: its name
    in a refresh (None: there is nothing to read).
    """

    prefix: str
    family: str | None
    feed: str
    table: str
    names: tuple[str, ...]
    scope: str | None


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


KINDS = (
    ObjectKind("patient", "patients", "patient_events", "patients", ("patient",), "patients:read"),
    ObjectKind(
        "treatment_plan",
        "plans",
        "treatment_plan_events",
        "treatment_plans",
        ("treatment_plan",),
        "patients:treatment_plan_history",
    ),
    ObjectKind("order", "orders", "order_events", "orders", ("order",), "patients:order_history"),
    # REST calls a lab order `order`, the webhook `lab_order`.
    ObjectKind("lab_order", "labs", "lab_order_events", "lab_orders", ("lab_order", "order"), "patients:order_history"),
    ObjectKind("product", "products", "product_events", "products", ("product",), "catalog:read"),
    ObjectKind("clinic_key", None, "clinic_key_events", "clinics", ("clinic_key",), None),
)
FAMILIES = tuple(kind.family for kind in KINDS if kind.family)
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
    EventType("product.created", "a product came into the catalog"),
    EventType("product.updated", "a product or one of its variants changed"),
    EventType("product.description.updated", "a product's description changed"),
    EventType("clinic_key.activated", "an old integration was first used", (), "documented; nothing hangs on it"),
    EventType("clinic_key.revoked", "the clinic withdrew its key", (Also.NOTICE,)),
    EventType("patient.*", "unknown", (), "not documented, read like its kind"),
    EventType("treatment_plan.*", "unknown", (Also.LAB_ORDERS,), "not documented, read like its kind"),
    EventType("order.*", "unknown", (Also.LAB_ORDERS,), "not documented, read like its kind"),
    EventType("lab_order.*", "unknown", (), "not documented, read like its kind"),
    EventType("product.*", "unknown", (), "not documented, read like its kind"),
    EventType("*", "unknown", (Also.NOTICE,), "not documented"),
)
_BY_PREFIX = {kind.prefix: kind for kind in KINDS}
_INSIDE_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|[ -]")


def kind_of(event_type: str | None) -> ObjectKind | None:
    """The kind of object that a type names; None for a kind that has no row. Plural, case and hyphens do not count."""
    return _BY_PREFIX.get(_normalized(event_type).partition(".")[0])


def row_of(event_type: str | None) -> EventType:
    """The row of the table that a type falls under; the last one fits everything."""
    name = _normalized(event_type)
    return next(row for row in TYPES if fnmatchcase(name, row.pattern))


def _normalized(event_type: str | None) -> str:
    """The type as documented types are written: `Orders.placed` is `order.placed`."""
    head, dot, rest = _INSIDE_WORDS.sub("_", (event_type or "").strip()).lower().partition(".")
    return (head if head in _BY_PREFIX else head.removesuffix("s")) + dot + rest
