"""Treatment plans with their lines. What does not belong here: plans kept for re-use (`protocols`, `templates`)."""

from fullscript_pipeline.resources.plan_lines import lab_recommendations, recommendations, resources
from fullscript_pipeline.resources.types import (
    BOTH_COPIES,
    EVENT_FILTERS,
    SORTING,
    Child,
    Column,
    Copy,
    EventFamily,
    RequestRule,
    Resource,
    Table,
    day,
    detail,
    id_sql,
    instant,
    list_of,
    nested_list,
    reference,
    scopes,
    text,
)

RECOMMENDATIONS = recommendations("recommendations", "treatment_plan_id", history=True, copies=BOTH_COPIES)
TREATMENT_PLAN_RESOURCES = resources("treatment_plan_resources", "treatment_plan_id", history=True)
LAB_RECOMMENDATIONS = lab_recommendations("lab_recommendations", "treatment_plan_id", history=True)

# `state` is the REST word; webhook bodies say `active: "true"` instead, whatever the plan's state is.
_PLAN_STATE = "lower(coalesce(nullif(r.state, ''), nullif(r.current_state, ''), if(r.active = 'true', 'active', NULL)))"

TREATMENT_PLANS = Table(
    name="treatment_plans",
    scope="clinic",
    key=("treatment_plan_id",),
    history=True,
    copies=BOTH_COPIES,
    extra_sources=("state", "current_state", "active"),
    columns=(
        Column(
            name="patient_id",
            sql=f"coalesce({id_sql.usable_id('r.patient.id')}, {id_sql.usable_id('r.patient_id')}, parent_id)",
            source=("patient.id", "patient_id"),
        ).published(),
        reference("practitioner_id").published(),
        Column(name="state", sql=_PLAN_STATE).published(),
        day("available_at").published(),
        instant("created_at").published(Copy.PSEUDONYMISED),
        day("created_on", "created_at").published(Copy.SHIFTED),
        instant("updated_at").published(Copy.PSEUDONYMISED),
        day("updated_on", "updated_at"),
        text("personal_message"),
        text("treatment_plan_text"),
        text("source"),
        text("lab_checkout_status"),
        text("external_id", "metadata.id"),
    ),
    children=(
        Child(table=RECOMMENDATIONS, array="recommendations", parent_column="treatment_plan_id"),
        Child(table=TREATMENT_PLAN_RESOURCES, array="resources", parent_column="treatment_plan_id"),
        Child(table=LAB_RECOMMENDATIONS, array="lab_recommendations", parent_column="treatment_plan_id"),
    ),
    untyped=("patient", "practitioner", "metadata", "patient_lab_fields_needed"),
)

TREATMENT_PLANS_RESOURCE = Resource(
    name="treatment_plans",
    texts={
        "treatment_plans": "Treatment plans with every version since the first pull (`history.treatment_plans`).",
        "recommendations": "What each plan recommends: variant, dosage as written, refills; every version kept.",
        "treatment_plan_resources": "Documents attached to a plan; every version kept.",
        "lab_recommendations": "Lab panels that a plan recommends; every version kept.",
    },
    tables=(TREATMENT_PLANS,),
    endpoints=(
        nested_list(
            "patient_treatment_plans",
            "/clinic/patients/{patient_id}/treatment_plans",
            scopes.PATIENTS,
            "treatment_plans",
            filters=SORTING,
        ),
        detail("treatment_plan", "/clinic/treatment_plans/{id}", scopes.PATIENTS),
    ),
    # Plans are listed without it, too, but not those that were made in the Fullscript app.
    scope=scopes.PLANS,
    group="clinical",
    contains_phi=True,
    cadence="Daily for new patients, those whom events, orders or labs point at, and a rolling share of the rest",
    child_cadence="With its plan",
    made_from={"treatment_plans": ("patients",)},
    request_rules=(
        RequestRule(
            requests="GET /clinic/patients/{id}/treatment_plans",
            number="at first one per patient; then one per patient who is new or affected since (an order, a lab "
            "order, an event, a changed record), and per patient of 1/`FULLSCRIPT_SWEEP_DAYS` of the rest",
            why="plans are listed per patient only; the rolling re-read finds changes without an event "
            "(`ops.pulls.sweep_only_changes`)",
        ),
        RequestRule(
            requests="GET /clinic/treatment_plans/{id}",
            number="one per plan that an event is about; one, once, per plan of a patient who is no longer listed",
            why="events come between rolling re-reads; the plans of such a patient are in no list",
        ),
    ),
    events=EventFamily(
        prefix="treatment_plan",
        name="plans",
        feed=list_of("treatment_plan_events", "/events/treatment_plans", scopes.PLANS, "events", filters=EVENT_FILTERS),
        object_names=("treatment_plan",),
        table="treatment_plans",
    ),
)
