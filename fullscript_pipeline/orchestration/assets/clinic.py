"""A clinic, its people, its patients, what happened there, and the plans.

What does not belong here: how the tables are read (`extraction.pulls`), orders and labs (`orders`).
"""

from collections.abc import Iterator

import dagster as dg

from fullscript_pipeline.extraction.event_proof import fill_objects, note_pull
from fullscript_pipeline.extraction.pulls import clinic as clinic_pulls
from fullscript_pipeline.extraction.pulls import event_feeds as event_pulls
from fullscript_pipeline.extraction.pulls import pull_orders_of_who_left
from fullscript_pipeline.extraction.pulls import treatment_plans as plan_pulls
from fullscript_pipeline.orchestration.assets import asset_specs
from fullscript_pipeline.orchestration.assets.asset_steps import clinic_step, results
from fullscript_pipeline.orchestration.runtime import FullscriptResource, WarehouseResource, clinic_days

Results = Iterator[dg.MaterializeResult[None]]


@dg.multi_asset(
    name="clinic",
    partitions_def=clinic_days,
    specs=[
        asset_specs.core(
            "clinics",
            "clinical",
            "The clinic's account: name, patient and practitioner counts, discount.",
            "GET /clinic",
            "clinic:read",
            phi=False,
        )
    ],
)
def clinic(context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource) -> Results:
    with clinic_step(context, fullscript, warehouse) as (target, session, _):
        yield from results([clinic_pulls.pull_clinic(target, session)], ["clinics"])


@dg.multi_asset(
    name="people",
    partitions_def=clinic_days,
    specs=[
        asset_specs.core(
            "practitioners",
            "clinical",
            "Who recommends: the clinic's practitioners.",
            "GET /clinic/practitioners",
            "clinic:read",
            phi=False,
            deps=["core/clinics"],
        ),
        asset_specs.core(
            "staff",
            "clinical",
            "The clinic's staff.",
            "GET /clinic/staff",
            "clinic:read",
            phi=False,
            deps=["core/clinics"],
        ),
    ],
)
def people(context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource) -> Results:
    with clinic_step(context, fullscript, warehouse) as (target, session, _):
        yield from results(clinic_pulls.pull_people(target, session), ["practitioners", "staff"])


@dg.multi_asset(
    name="patients",
    partitions_def=clinic_days,
    specs=[
        asset_specs.core(
            "patients",
            "clinical",
            "Every patient, dependents and archived ones included; one that vanishes keeps its row with `removed_at`.",
            "GET /clinic/patients?patient_type=all",
            "patients:read",
            phi=True,
            deps=["core/clinics"],
        )
    ],
)
def patients(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with clinic_step(context, fullscript, warehouse) as (target, session, _):
        sweep_days = fullscript.settings().sweep_days
        yield from results([clinic_pulls.pull_patients(target, session, sweep_days)], ["patients"])


@dg.multi_asset(
    name="events",
    partitions_def=clinic_days,
    # Before the lists: only what is read after an event answers it. No dependency, as lists need no feed.
    op_tags={"dagster/priority": "10"},
    specs=[
        asset_specs.core(
            "events",
            "events",
            "What happened in the last 30 days, by id; plan events with their plan and date.",
            "GET /events/*, GET /events/{id}",
            "the scope of each object",
            phi=False,
            cadence="Daily, and between days by the event sensor",
            deps=["core/clinics"],
        )
    ],
)
def events(context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource) -> Results:
    with clinic_step(context, fullscript, warehouse) as (target, session, store):
        report = event_pulls.pull_events(target, session, store)
        fill_objects(target.warehouse, store, session.clinic)
        yield from results([report], ["events"])


_PLAN_SOURCES = ("core/patients", "core/events", "core/orders", "core/lab_orders")
_PLAN_TABLES = ("treatment_plans", "recommendations", "treatment_plan_resources", "lab_recommendations")


@dg.multi_asset(
    name="treatment_plans",
    partitions_def=clinic_days,
    specs=[
        asset_specs.core(
            table,
            "clinical",
            what,
            "GET /clinic/patients/{patient_id}/treatment_plans",
            "patients:treatment_plan_history",
            phi=True,
            cadence=cadence,
            deps=_PLAN_SOURCES,
        )
        for table, what, cadence in (
            (
                "treatment_plans",
                "Treatment plans with every version since the first pull (`history.treatment_plans`).",
                "Daily for new patients, those whom events, orders or labs point at, and a rolling share of the rest",
            ),
            (
                "recommendations",
                "What each plan recommends: variant, dosage as written, refills; every version kept.",
                "With its plan",
            ),
            ("treatment_plan_resources", "Documents attached to a plan; every version kept.", "With its plan"),
            ("lab_recommendations", "Lab panels that a plan recommends; every version kept.", "With its plan"),
        )
    ],
)
def treatment_plans(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with clinic_step(context, fullscript, warehouse) as (target, session, store):
        touched = event_pulls.touched_today(target, session.clinic.clinic_id)
        left = pull_orders_of_who_left(target, session)
        report = plan_pulls.pull_plans(target, session, touched, fullscript.settings().sweep_days)
        # Plans are the last thing that a clinic's pull reads for its events.
        note_pull(target.warehouse, store, session.clinic)
        yield from results([report, *([left] if left else [])], _PLAN_TABLES)
