"""What the endpoints answer: a function each, and makers for plain lists and look-ups.

Arguments and sort keys are the technical reference's. What does not belong here: paths and scopes (`endpoints`),
tokens, status codes and JSON (`routes`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar

from fullscript_pipeline.sandbox.pages import BadParameterError, Params, day_filter, sorted_by
from fullscript_pipeline.sandbox.world import Clinic, Record

Kind = TypeVar("Kind")

CATALOG = "catalog:read"
CLINIC = "clinic:read"
PATIENTS = "patients:read"
PLANS = "patients:treatment_plan_history"
ORDERS = "patients:order_history"

ORDER_KEYS = {
    "patient_id": "patient_id",
    "treatment_plan_id": "treatment_plan_ids",
    "completed_at": "completed_at",
    "order_number": "order_number",
}
# The scope of an event is that of the object it tells about.
EVENT_SCOPES = {"patient": PATIENTS, "treatment_plan": PLANS, "order": ORDERS, "lab_order": ORDERS, "product": CATALOG}


@dataclass(frozen=True)
class Call:
    """A request that may be answered: whose it is, its arguments and the ids in its path."""

    clinic: Clinic
    params: Params
    ids: dict[str, str]
    scopes: frozenset[str]


@dataclass(frozen=True)
class Listing:
    """Rows to be paged and wrapped under `key`."""

    key: str
    rows: Sequence[Record]


@dataclass(frozen=True)
class Detail:
    """One record to be wrapped under `key`."""

    key: str
    record: Record


Answer = Callable[[Call], Listing | Detail]
Rows = Callable[[Clinic], dict[str, Record]]


class NotFoundError(Exception):
    """There is no such object, or none that this clinic may see."""


class MissingScopeError(Exception):
    """The token lacks the scope that the text names."""


def every(key: str, rows: Rows) -> Answer:
    """Lists all of a kind, wrapped under `key`."""
    return lambda call: Listing(key, list(rows(call.clinic).values()))


def one(key: str, rows: Rows) -> Answer:
    """Looks up one of a kind by the path's `id`, wrapped under `key`."""
    return lambda call: Detail(key, _look_up(rows(call.clinic), call))


def terms(kind: str) -> Answer:
    """Lists one of the catalog's vocabularies."""
    return every(kind, lambda clinic: clinic.catalog.vocabularies[kind])


def term(kind: str, key: str) -> Answer:
    """Looks up an entry of one of the catalog's vocabularies."""
    return one(key, lambda clinic: clinic.catalog.vocabularies[kind])


def patients(call: Call) -> Listing:
    """Everybody, or dependents or guardians only."""
    rows = [patient.record for patient in call.clinic.patients.values()]
    guardians = {row["guardian_patient_id"] for row in rows}
    match call.params.get("patient_type", "all"):
        case "all":
            return Listing("patients", rows)
        case "dependent":
            return Listing("patients", [row for row in rows if row["is_dependent"]])
        case "guardian":
            return Listing("patients", [row for row in rows if row["id"] in guardians])
    raise BadParameterError("Patient type must be all, dependent or guardian")


def patient(call: Call) -> Detail:
    """One patient."""
    return Detail("patient", _look_up(call.clinic.patients, call).record)


def dependents(call: Call) -> Listing:
    """The dependents of a patient."""
    guardian = _patient_id(call)
    rows = [patient.record for patient in call.clinic.patients.values()]
    return Listing("patients", [row for row in rows if row["guardian_patient_id"] == guardian])


def patient_plans(call: Call) -> Listing:
    """A patient's plans, whole."""
    rows = [plan.record for plan in call.clinic.plans_of[_patient_id(call)]]
    keys = {"created_at": "created_at", "updated_at": "updated_at"}
    return Listing("treatment_plans", sorted_by(rows, call.params, keys))


def plan(call: Call) -> Detail:
    """One plan."""
    return Detail("treatment_plan", _look_up(call.clinic.plans, call).record)


def orders(call: Call) -> Listing:
    """The clinic's orders; days of `completed_at` are days of UTC (the reference does not say which)."""
    params, rows = call.params, list(call.clinic.orders.values())
    if (kind := params.get("type", "all")) not in {"all", "labs"}:
        raise BadParameterError("Type must be all or labs")
    if kind == "labs":
        rows = [row for row in rows if any(line["type"] == "labs" for line in row["line_items"])]
    for name in ("patient_id", "order_number"):
        if (wanted := params.get(name)) is not None:
            rows = [row for row in rows if row[name] == wanted]
    if (plan_id := params.get("treatment_plan_id")) is not None:
        rows = [row for row in rows if plan_id in row["treatment_plan_ids"]]
    if accepts := day_filter(params, "completed_at"):
        rows = [row for row in rows if accepts(_utc_day(row["completed_at"]))]
    return Listing("orders", sorted_by(rows, params, ORDER_KEYS))


def patient_orders(call: Call) -> Listing:
    """A patient's orders."""
    patient_id = _patient_id(call)
    return Listing("orders", [row for row in call.clinic.orders.values() if row["patient_id"] == patient_id])


def lab_orders(call: Call) -> Listing:
    """The clinic's lab orders, without tests and results; there is no such list in Canada."""
    if not call.clinic.has_labs:
        raise NotFoundError
    patient_id = call.params.get("patient_id")
    rows = [lab.row for lab in call.clinic.labs.values()]
    return Listing("orders", [row for row in rows if patient_id is None or row["patient_id"] == patient_id])


def lab_order(call: Call) -> Detail:
    """One lab order with its tests and results."""
    lab = _look_up(call.clinic.labs, call)
    return Detail("order", {**lab.row, "tests": lab.tests, "results": lab.results})


def product(call: Call) -> Detail:
    """One product, with the asking practitioner's own dosage when there is one (the token's owner by default)."""
    record = _look_up(call.clinic.catalog.products, call)
    asked = call.params.get("practitioner_id", call.clinic.owner_id)
    custom = call.clinic.custom_dosages.get(record["id"]) if asked == call.clinic.owner_id else None
    return Detail("product", {**record, "custom_dosage": custom} if custom else record)


def variant(call: Call) -> Detail:
    """One variant, with its product's id and name."""
    record, made_of = _look_up(call.clinic.catalog.variants, call)
    return Detail("variant", {**record, "product": {"id": made_of["id"], "name": made_of["name"]}})


def category_products(call: Call) -> Listing:
    """The products of a category, whole, by name."""
    if call.ids["category_id"] not in call.clinic.categories:
        raise NotFoundError
    rows = call.clinic.in_category(call.ids["category_id"])
    return Listing("products", sorted_by(rows, call.params, {"name": "name"}))


def events(prefix: str, *, typed: bool = True) -> Answer:
    """Lists the events whose type starts with `prefix`; `typed` feeds may be filtered and sorted by type."""
    keys = {"created_at": "created_at"} | ({"event_type": "type"} if typed else {})

    def answer(call: Call) -> Listing:
        found = [event for event in call.clinic.events.values() if event.type.startswith(f"{prefix}.")]
        if typed and (kind := call.params.get("event_type")) is not None:
            found = [event for event in found if event.type == kind]
        if accepts := day_filter(call.params, "created_at"):
            found = [event for event in found if accepts(event.at.date())]
        return Listing("events", sorted_by([event.row for event in found], call.params, keys))

    return answer


def event(call: Call) -> Detail:
    """One event with its data; asks for the scope of the object it tells about."""
    told = _look_up(call.clinic.events, call)
    scope = EVENT_SCOPES[told.type.partition(".")[0]]
    if scope not in call.scopes:
        raise MissingScopeError(scope)
    return Detail("event", {**told.row, "data": told.data})


def _look_up(rows: dict[str, Kind], call: Call) -> Kind:
    if (found := rows.get(call.ids["id"])) is None:
        raise NotFoundError
    return found


def _patient_id(call: Call) -> str:
    if call.ids["patient_id"] not in call.clinic.patients:
        raise NotFoundError
    return call.ids["patient_id"]


def _utc_day(text: str) -> date:
    return datetime.fromisoformat(text).astimezone(UTC).date()
