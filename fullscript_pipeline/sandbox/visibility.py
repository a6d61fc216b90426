"""What a user may see of their clinic when patients are not shared with everybody.

The vendor's app has such a switch; that the API honours it is an inference, so it is off by default. What does not
belong here: scopes (`endpoints`) and isolation of clinics (a token names its clinic).
"""

from dataclasses import replace

from fullscript_pipeline.sandbox.world import Clinic, Event, User


def seen_by(user: User, clinic: Clinic) -> Clinic:
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
        plans_of={key: its for key, its in clinic.plans_of.items() if key in mine},
        orders={key: order for key, order in clinic.orders.items() if order["patient_id"] in mine},
        labs={key: lab for key, lab in clinic.labs.items() if lab.row["patient_id"] in mine},
        events={key: event for key, event in clinic.events.items() if _about(event, clinic) in {None, *mine}},
    )


def _about(event: Event, clinic: Clinic) -> str | None:
    # The patient an event tells about, if it tells about one.
    data = event.data
    if "treatment_plan" in data:
        return clinic.plans[data["treatment_plan"]["id"]].patient_id
    found = data.get("patient_id") or data.get("patient", {}).get("id") or data.get("lab_order", {}).get("patient_id")
    return None if found is None else str(found)
