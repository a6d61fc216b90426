"""Two patients become one: nothing that the vendor documents, but a server may do it.

What does not belong here: what a day brings by itself (`days`).
"""

from datetime import datetime
from random import Random

from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.world import Clinic, Record


def merge_patients(clinic: Clinic, kept: str, merged: str, at: datetime, rng: Random) -> Record:
    """Everything of `merged` is `kept`'s now, and `merged` is in no list; `patient.merged` tells of it."""
    if kept == merged or not {kept, merged} <= clinic.patients.keys():
        raise SandboxError("Name two patients of the clinic: kept and merged.")
    for plan in clinic.plans_of.pop(merged):
        plan.record["patient"] = {"id": kept}
        clinic.plans_of[kept].append(plan)
    for order in clinic.orders.values():
        if order["patient_id"] == merged:
            order["patient_id"] = kept
    for lab in clinic.labs.values():
        if lab.row["patient_id"] == merged:
            lab.row["patient_id"] = kept
    for patient in clinic.patients.values():
        if patient.record["guardian_patient_id"] == merged:
            patient.record["guardian_patient_id"] = kept
    del clinic.patients[merged]
    clinic.info["patient_count"] = len(clinic.patients)
    told: Record = {"patient": {"id": kept}, "merged_patient_id": merged}
    clinic.tell(rng, "patient.merged", at, told)
    return told
