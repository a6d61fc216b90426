"""Clinics, their people, patients and treatment plans. What does not belong here: orders, labs, catalog."""

from fullscript_pipeline.warehouse.schema.id_sql import usable_id
from fullscript_pipeline.warehouse.schema.table_description import (
    Child,
    Column,
    Kind,
    Table,
    day,
    decimal,
    flag,
    ident,
    instant,
    integer,
    reference,
    text,
    texts,
)

CLINICS = Table(
    "clinics",
    "clinic",
    key=("clinic_id",),
    key_is_scope=True,
    columns=(
        Column("clinic_key", sql="ctx.clinic_key"),
        Column("region", sql="ctx.region"),
        Column("server", sql="ctx.server"),
        text("name"),
        integer("patient_count"),
        integer("practitioner_count"),
        decimal("discount"),
        text("dispensary_url"),
        text("integration_id"),
        instant("integration_activated_at"),
        text("margin_type"),
    ),
)

_PERSON = (text("first_name"), text("last_name"), text("email"))

PRACTITIONERS = Table(
    "practitioners",
    "clinic",
    key=("practitioner_id",),
    columns=(*_PERSON, reference("practitioner_type_id"), flag("invite_accepted"), text("external_id", "metadata.id")),
    untyped=("metadata",),
)

STAFF = Table(
    "staff",
    "clinic",
    key=("staff_id",),
    columns=(*_PERSON, flag("invite_accepted"), text("external_id", "metadata.id")),
    untyped=("metadata",),
)

GUARDIAN = ("guardian_patient_id", "guardian_patient.id", "guardian_id", "guardian.id")

PATIENTS = Table(
    "patients",
    "clinic",
    key=("patient_id",),
    columns=(
        *_PERSON,
        day("date_of_birth"),
        text("gender"),
        flag("archived"),
        flag("is_dependent"),
        ident("guardian_patient_id", *GUARDIAN),
        text("external_id", "metadata.id"),
        decimal("discount"),
        decimal("total_discount"),
        text("mobile_number"),
        flag("text_message_notification"),
    ),
    untyped=("metadata",),
)


def recommendations(name: str, parent: str, *, history: bool) -> Table:
    """The lines of a plan or of a protocol, in the vendor's order."""
    return Table(
        name,
        "clinic",
        key=(parent, "position"),
        by_position=True,
        history=history,
        columns=(
            reference("variant_id"),
            integer("units_to_purchase"),
            flag("refill"),
            text("take_with"),
            text("dosage_amount", "dosage.amount", "dosage.recommended_amount"),
            text("dosage_frequency", "dosage.frequency", "dosage.recommended_frequency"),
            text("dosage_duration", "dosage.duration", "dosage.recommended_duration"),
            text("dosage_format", "dosage.format"),
            text("dosage_additional_info", "dosage.additional_info"),
            texts("dosage_time_of_day", "dosage.time_of_day"),
        ),
        untyped=("dosage",),
    )


def resources(name: str, parent: str, *, history: bool) -> Table:
    """The documents attached to a plan or to a protocol."""
    return Table(
        name,
        "clinic",
        key=(parent, "position"),
        by_position=True,
        history=history,
        columns=(
            text("resource_id", "id"),
            text("name"),
            text("resource_type", "type"),
            text("category"),
            text("attachment_url"),
        ),
    )


def lab_recommendations(name: str, parent: str, *, history: bool) -> Table:
    """The lab panels that a plan or a protocol recommends, each with its tests as two lists of equal length."""
    return Table(
        name,
        "clinic",
        key=(parent, "position"),
        by_position=True,
        history=history,
        columns=(
            text("lab_recommendation_id", "id"),
            text("name"),
            flag("requires_fasting"),
            text("instructions"),
            Column("lab_test_ids", Kind.LIST, ("tests",), sql=_of_tests("id")),
            Column("lab_test_names", Kind.LIST, ("tests",), sql=_of_tests("name")),
        ),
    )


def _of_tests(key: str) -> str:
    # From the whole record: a list of objects does not fit the struct of text that other columns are read from.
    return f"coalesce(list_transform(json_extract(record, '$.tests[*]'), lambda one: one->>'$.{key}'), [])"


RECOMMENDATIONS = recommendations("recommendations", "treatment_plan_id", history=True)
TREATMENT_PLAN_RESOURCES = resources("treatment_plan_resources", "treatment_plan_id", history=True)
LAB_RECOMMENDATIONS = lab_recommendations("lab_recommendations", "treatment_plan_id", history=True)

# `state` is the REST word; webhook bodies say `active: "true"` instead, whatever the plan's state is.
_PLAN_STATE = "lower(coalesce(nullif(r.state, ''), nullif(r.current_state, ''), if(r.active = 'true', 'active', NULL)))"

TREATMENT_PLANS = Table(
    "treatment_plans",
    "clinic",
    key=("treatment_plan_id",),
    history=True,
    extra_sources=("state", "current_state", "active"),
    columns=(
        Column(
            "patient_id",
            sql=f"coalesce({usable_id('r.patient.id')}, {usable_id('r.patient_id')}, parent_id)",
            source=("patient.id", "patient_id"),
        ),
        reference("practitioner_id"),
        Column("state", sql=_PLAN_STATE),
        day("available_at"),
        instant("created_at"),
        day("created_on", "created_at"),
        instant("updated_at"),
        day("updated_on", "updated_at"),
        text("personal_message"),
        text("treatment_plan_text"),
        text("source"),
        text("lab_checkout_status"),
        text("external_id", "metadata.id"),
    ),
    children=(
        Child(RECOMMENDATIONS, "recommendations", "treatment_plan_id"),
        Child(TREATMENT_PLAN_RESOURCES, "resources", "treatment_plan_id"),
        Child(LAB_RECOMMENDATIONS, "lab_recommendations", "treatment_plan_id"),
    ),
    untyped=("patient", "practitioner", "metadata", "patient_lab_fields_needed"),
)
