"""What the endpoints of patients, their plans, orders and labs answer. What does not belong here: everything else."""

from collections.abc import Sequence

from fullscript_pipeline.sandbox.library import addresses
from fullscript_pipeline.sandbox.pages import day_filter, sorted_by
from fullscript_pipeline.sandbox.responses.clinic import (
    PATIENTS,
    PLANS,
    Call,
    Listing,
    NotFoundError,
    WrappedRecord,
    look_up,
    read_choice,
)
from fullscript_pipeline.sandbox.world import Record

ORDER_KEYS = {
    "patient_id": "patient_id",
    "treatment_plan_id": "treatment_plan_ids",
    "completed_at": "completed_at",
    "order_number": "order_number",
}
PATIENT_TYPES = ("all", "dependent", "guardian")
PLAN_KEYS = {"created_at": "created_at", "updated_at": "updated_at"}


def patients(call: Call) -> Listing:
    """Everybody, or dependents or guardians only."""
    return Listing(key="patients", rows=_of_type(call, read_choice(call, "patient_type", "all", PATIENT_TYPES)))


def search(call: Call) -> Listing:
    """Patients whose names or e-mail hold the query; without a type, to the letter, those who have no dependents."""
    query = call.params.get("query", "").casefold().strip()
    kind = read_choice(call, "patient_type", "", ("", *PATIENT_TYPES))
    return Listing(key="patients", rows=[row for row in _of_type(call, kind) if query in _searched(row)])


def patient(call: Call) -> WrappedRecord:
    """One patient."""
    return WrappedRecord(key="patient", record=look_up(call.clinic.patients, call).record)


def dependents(call: Call) -> Listing:
    """The dependents of a patient."""
    guardian = _patient_id(call)
    rows = [patient.record for patient in call.clinic.patients.values()]
    return Listing(key="patients", rows=[row for row in rows if row["guardian_patient_id"] == guardian])


def patient_addresses(call: Call) -> Listing:
    """A patient's addresses."""
    return Listing(key="addresses", rows=addresses(call.clinic, call.clinic.patients[_patient_id(call)]))


def patient_plans(call: Call) -> Listing:
    """A patient's plans with all their fields; those that were not made through the API need the history scope."""
    rows = [plan.record for plan in call.clinic.plans_of[_patient_id(call)] if _readable(call, plan.record)]
    return Listing(key="treatment_plans", rows=sorted_by(rows, call.params, PLAN_KEYS))


def plan(call: Call) -> WrappedRecord:
    """One plan."""
    record = look_up(call.clinic.plans, call).record
    if not _readable(call, record):
        raise NotFoundError
    return WrappedRecord(key="treatment_plan", record=record)


def orders(call: Call) -> Listing:
    """The clinic's orders; days of `completed_at` are days of UTC (the reference does not say which)."""
    params, rows = call.params, list(call.clinic.orders.values())
    if read_choice(call, "type", "all", ("all", "labs")) == "labs":
        rows = [row for row in rows if any(line["type"] == "labs" for line in row["line_items"])]
    for name in ("patient_id", "order_number"):
        if (argument := params.get(name)) is not None:
            rows = [row for row in rows if row[name] == argument]
    if (plan_id := params.get("treatment_plan_id")) is not None:
        rows = [row for row in rows if plan_id in row["treatment_plan_ids"]]
    if accepts := day_filter(params, "completed_at", call.days):
        rows = [row for row in rows if accepts(call.days.day_of(row["completed_at"]))]
    return Listing(key="orders", rows=sorted_by(rows, params, ORDER_KEYS))


def patient_orders(call: Call) -> Listing:
    """A patient's orders."""
    patient_id = _patient_id(call)
    return Listing(key="orders", rows=[row for row in call.clinic.orders.values() if row["patient_id"] == patient_id])


def lab_orders(call: Call) -> Listing:
    """The clinic's lab orders, without tests and results; there is no such list in Canada."""
    if not call.clinic.has_labs:
        raise NotFoundError
    patient_id = call.params.get("patient_id")
    rows = [lab.row for lab in call.clinic.labs.values()]
    return Listing(key="orders", rows=[row for row in rows if patient_id is None or row["patient_id"] == patient_id])


def lab_order(call: Call) -> WrappedRecord:
    """One lab order with its tests and results."""
    lab = look_up(call.clinic.labs, call)
    return WrappedRecord(key="order", record={**lab.row, "tests": lab.tests, "results": lab.results})


def lab_test(call: Call) -> WrappedRecord:
    """One test of a lab order."""
    tests = {test["id"]: test for lab in call.clinic.labs.values() for test in lab.tests}
    return WrappedRecord(key="test", record=look_up(tests, call))


def _of_type(call: Call, kind: str) -> Sequence[Record]:
    rows = [patient.record for patient in call.clinic.patients.values()]
    if kind == "all":
        return rows
    if kind == "dependent":
        return [row for row in rows if row["is_dependent"]]
    guardians = {row["guardian_patient_id"] for row in rows}
    return [row for row in rows if (row["id"] in guardians) == (kind == "guardian")]


def _searched(row: Record) -> str:
    return f"{row['first_name']} {row['last_name']} {row['email'] or ''}".casefold()


def _readable(call: Call, plan: Record) -> bool:
    # "This includes read access to any treatment plans made through the API"; others need the history scope.
    return (PATIENTS if plan["source"] == "api" else PLANS) in call.scopes


def _patient_id(call: Call) -> str:
    if call.ids["patient_id"] not in call.clinic.patients:
        raise NotFoundError
    return call.ids["patient_id"]
