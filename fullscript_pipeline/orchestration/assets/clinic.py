"""A clinic, its people, its patients, what happened there, and the plans.

What does not belong here: how the tables are read (`extraction.pulls`), orders and labs (`orders`).
"""

from collections.abc import Iterator

import dagster as dg

from fullscript_pipeline.extraction.event_proof import fill_event_objects, record_pull_outcomes
from fullscript_pipeline.extraction.pulls import clinic as clinic_pulls
from fullscript_pipeline.extraction.pulls import event_feeds as event_pulls
from fullscript_pipeline.extraction.pulls import pull_orders_of_departed_patients
from fullscript_pipeline.extraction.pulls import treatment_plans as plan_pulls
from fullscript_pipeline.orchestration.assets import asset_specs
from fullscript_pipeline.orchestration.assets.asset_steps import clinic_step, materialize_results
from fullscript_pipeline.orchestration.runtime import FullscriptResource, WarehouseResource, clinic_days
from fullscript_pipeline.resources.clinics import CLINICS_RESOURCE
from fullscript_pipeline.resources.events import EVENTS_RESOURCE
from fullscript_pipeline.resources.patients import PATIENTS_RESOURCE
from fullscript_pipeline.resources.people import PRACTITIONERS_RESOURCE, STAFF_RESOURCE
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS_RESOURCE

Results = Iterator[dg.MaterializeResult[None]]


@dg.multi_asset(
    name="clinic",
    partitions_def=clinic_days,
    specs=asset_specs.table_specs(CLINICS_RESOURCE),
)
def clinic(context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource) -> Results:
    with clinic_step(context, fullscript, warehouse) as (target, session, store):
        report = clinic_pulls.pull_clinic(target, session)
        clinic_pulls.store_address_zone(target, session, store)
        yield from materialize_results([report], CLINICS_RESOURCE)


@dg.multi_asset(
    name="people",
    partitions_def=clinic_days,
    specs=asset_specs.table_specs(PRACTITIONERS_RESOURCE, STAFF_RESOURCE),
)
def people(context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource) -> Results:
    with clinic_step(context, fullscript, warehouse) as (target, session, _):
        yield from materialize_results(
            clinic_pulls.pull_people(target, session), PRACTITIONERS_RESOURCE, STAFF_RESOURCE
        )


@dg.multi_asset(
    name="patients",
    partitions_def=clinic_days,
    specs=asset_specs.table_specs(PATIENTS_RESOURCE),
)
def patients(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with clinic_step(context, fullscript, warehouse) as (target, session, _):
        sweep_days = fullscript.settings().sweep_days
        yield from materialize_results([clinic_pulls.pull_patients(target, session, sweep_days)], PATIENTS_RESOURCE)


@dg.multi_asset(
    name="events",
    partitions_def=clinic_days,
    # Before the lists: only what is read after an event answers it. No dependency, as lists need no feed.
    op_tags={"dagster/priority": "10"},
    specs=asset_specs.table_specs(EVENTS_RESOURCE),
)
def events(context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource) -> Results:
    with clinic_step(context, fullscript, warehouse) as (target, session, store):
        report = event_pulls.pull_events(target, session, store)
        fill_event_objects(target.warehouse, store, session.clinic)
        yield from materialize_results([report], EVENTS_RESOURCE)


@dg.multi_asset(
    name="treatment_plans",
    partitions_def=clinic_days,
    specs=asset_specs.table_specs(TREATMENT_PLANS_RESOURCE),
)
def treatment_plans(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with clinic_step(context, fullscript, warehouse) as (target, session, store):
        touched = event_pulls.awaited_plan_ids(target, session.clinic.clinic_id)
        left = pull_orders_of_departed_patients(target, session)
        report = plan_pulls.pull_plans(target, session, touched, fullscript.settings().sweep_days)
        # Plans are the last thing that a clinic's pull reads for its events.
        record_pull_outcomes(target.warehouse, store, session.clinic)
        yield from materialize_results([report, *([left] if left else [])], TREATMENT_PLANS_RESOURCE)
