"""The clinic's patients. What does not belong here: what is read per patient (`treatment_plans`, `addresses`)."""

from fullscript_pipeline.resources.people import PERSON
from fullscript_pipeline.resources.types import (
    BOTH_COPIES,
    EVENT_FILTERS,
    EventFamily,
    RequestRule,
    Resource,
    Table,
    day,
    decimal,
    detail,
    flag,
    ident,
    list_of,
    nested_list,
    scopes,
    text,
)

GUARDIAN = ("guardian_patient_id", "guardian_patient.id", "guardian_id", "guardian.id")

PATIENTS = Table(
    name="patients",
    scope="clinic",
    key=("patient_id",),
    copies=BOTH_COPIES,
    columns=(
        *PERSON,
        day("date_of_birth").published(),
        text("gender").published(),
        flag("archived").published(),
        flag("is_dependent").published(),
        ident("guardian_patient_id", *GUARDIAN).published(),
        text("external_id", "metadata.id"),
        decimal("discount"),
        decimal("total_discount"),
        text("mobile_number"),
        flag("text_message_notification"),
    ),
    untyped=("metadata",),
)

PATIENTS_RESOURCE = Resource(
    name="patients",
    texts={
        "patients": "Every patient, dependents and archived ones included; one that vanishes keeps its row with "
        "`removed_at`."
    },
    tables=(PATIENTS,),
    endpoints=(
        list_of("patients", "/clinic/patients", scopes.PATIENTS, filters=("patient_type",)),
        detail("patient", "/clinic/patients/{id}", scopes.PATIENTS),
        nested_list(
            "patient_dependents",
            "/clinic/patients/{patient_id}/dependents",
            scopes.PATIENTS,
            "patients",
            "dependents",
        ),
        list_of(
            "search_patients",
            "/clinic/search/patients",
            scopes.PATIENTS,
            "patients",
            filters=("query", "patient_type"),
        ),
    ),
    source="GET /clinic/patients?patient_type=all",
    group="clinical",
    contains_phi=True,
    request_rules=(
        RequestRule(
            requests="GET /clinic/patients?patient_type=all",
            number="all pages",
        ),
        RequestRule(
            requests="GET /clinic/patients?patient_type=dependent, GET /clinic/patients/{id}/dependents",
            number="only where patient records do not say who depends on whom: one list, then one per guardian, "
            "later a share",
        ),
    ),
    events=EventFamily(
        prefix="patient",
        name="patients",
        feed=list_of("patient_events", "/events/patients", scopes.PATIENTS, "events", filters=EVENT_FILTERS),
        object_names=("patient",),
        table="patients",
    ),
)
