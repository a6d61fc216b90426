"""What a user may see of their clinic: when patients are not shared with everybody, and when objects appear late.

The vendor's app has such a switch; that the API honours it is an inference, so it is off by default. What does not
belong here: scopes (`endpoints`) and isolation of clinics (a token names its clinic).
"""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from fullscript_pipeline.sandbox.world import Event, SandboxClinic, User


def visible_to(user: User, clinic: SandboxClinic) -> SandboxClinic:
    """The clinic with the patients assigned to a practitioner only; the owner and staff see everybody."""
    if user.type != "Practitioner" or user.id == clinic.owner_id:
        return clinic
    others = list(clinic.practitioners)[1:]
    mine = {
        key: patient
        for number, (key, patient) in enumerate(clinic.patients.items())
        if others[number % len(others)] == user.id
    }
    plans = {key: plan for key, plan in clinic.plans.items() if plan.patient_id in mine}
    return replace(
        clinic,
        patients=mine,
        plans=plans,
        plans_of={key: patient_plans for key, patient_plans in clinic.plans_of.items() if key in mine},
        orders={key: order for key, order in clinic.orders.items() if order["patient_id"] in mine},
        labs={key: lab for key, lab in clinic.labs.items() if lab.row["patient_id"] in mine},
        events={key: event for key, event in clinic.events.items() if _about(event, clinic) in {None, *mine}},
    )


# The key of a request's scope under which a fault names the ids that are hidden from it (None: what is new today).
HIDING = "hidden_objects"


def without_objects(clinic: SandboxClinic, hidden: AbstractSet[str]) -> SandboxClinic:
    """The clinic without these patients, plans, orders and lab orders; its events still name them."""
    plans_of = {
        patient: [plan for plan in patient_plans if plan.id not in hidden]
        for patient, patient_plans in clinic.plans_of.items()
        if patient not in hidden
    }
    return replace(
        clinic,
        patients={key: patient for key, patient in clinic.patients.items() if key not in hidden},
        plans={key: plan for key, plan in clinic.plans.items() if key not in hidden},
        plans_of=plans_of,
        orders={key: order for key, order in clinic.orders.items() if key not in hidden},
        labs={key: lab for key, lab in clinic.labs.items() if key not in hidden},
    )


def new_since(moment: datetime, clinic: SandboxClinic) -> frozenset[str]:
    """The patients, plans and orders that events since a moment report as new."""
    since = [event for event in clinic.events.values() if event.at > moment]
    placed = {str(event.data["id"]) for event in since if event.type == "order.placed"}
    return frozenset(placed) | {
        str(event.data[kind]["id"])
        for event in since
        for kind in ("patient", "treatment_plan")
        if event.type == f"{kind}.created"
    }


def _about(event: Event, clinic: SandboxClinic) -> str | None:
    # The patient that an event is about, if any.
    event_data = event.data
    if "treatment_plan" in event_data:
        return clinic.plans[event_data["treatment_plan"]["id"]].patient_id
    patient_id = (
        event_data.get("patient_id")
        or event_data.get("patient", {}).get("id")
        or event_data.get("lab_order", {}).get("patient_id")
    )
    return None if patient_id is None else str(patient_id)
