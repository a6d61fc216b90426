"""Merges two patients into one: the vendor does not document it, but a server may do it.

What does not belong here: the changes of an ordinary day (`day_simulator`).
"""

from datetime import datetime
from random import Random

from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.world import Record, SandboxClinic


def merge_patients(clinic: SandboxClinic, survivor_id: str, merged_id: str, at: datetime, rng: Random) -> Record:
    """Gives everything of `merged_id` to `survivor_id` and removes `merged_id`; the event is `patient.merged`."""
    if survivor_id == merged_id or not {survivor_id, merged_id} <= clinic.patients.keys():
        raise SandboxError("Name two patients of the clinic: kept and merged.")
    for plan in clinic.plans_of.pop(merged_id):
        plan.record["patient"] = {"id": survivor_id}
        clinic.plans_of[survivor_id].append(plan)
    for order in clinic.orders.values():
        if order["patient_id"] == merged_id:
            order["patient_id"] = survivor_id
    for lab in clinic.labs.values():
        if lab.row["patient_id"] == merged_id:
            lab.row["patient_id"] = survivor_id
    for patient in clinic.patients.values():
        if patient.record["guardian_patient_id"] == merged_id:
            patient.record["guardian_patient_id"] = survivor_id
    del clinic.patients[merged_id]
    clinic.info["patient_count"] = len(clinic.patients)
    event_data: Record = {"patient": {"id": survivor_id}, "merged_patient_id": merged_id}
    clinic.record_event(rng, "patient.merged", at, event_data)
    return event_data
