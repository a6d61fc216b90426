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
from fullscript_pipeline.orchestration.assets.asset_steps import clinic_step
from fullscript_pipeline.orchestration.assets.clinic_asset import clinic_asset
from fullscript_pipeline.orchestration.assets.freshness import report_written_tables
from fullscript_pipeline.orchestration.runtime import FullscriptResource, WarehouseResource
from fullscript_pipeline.resources.clinics import CLINICS_RESOURCE
from fullscript_pipeline.resources.events import EVENTS_RESOURCE
from fullscript_pipeline.resources.patients import PATIENTS_RESOURCE
from fullscript_pipeline.resources.people import PRACTITIONERS_RESOURCE, STAFF_RESOURCE
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS_RESOURCE

Results = Iterator[dg.MaterializeResult[None]]


@clinic_asset("clinic", CLINICS_RESOURCE)
def clinic(context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource) -> Results:
    with clinic_step(context, fullscript, warehouse) as step:
        report = clinic_pulls.pull_clinic(step.target, step.session)
        clinic_pulls.store_address_zone(step.target, step.session, step.store)
        yield from step.results([report], CLINICS_RESOURCE)
        report_written_tables(context)


@clinic_asset("people", PRACTITIONERS_RESOURCE, STAFF_RESOURCE)
def people(context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource) -> Results:
    with clinic_step(context, fullscript, warehouse) as step:
        yield from step.results(
            clinic_pulls.pull_people(step.target, step.session), PRACTITIONERS_RESOURCE, STAFF_RESOURCE
        )


@clinic_asset("patients", PATIENTS_RESOURCE)
def patients(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with clinic_step(context, fullscript, warehouse) as step:
        sweep_days = step.settings.sweep_days
        yield from step.results([clinic_pulls.pull_patients(step.target, step.session, sweep_days)], PATIENTS_RESOURCE)


@clinic_asset("events", EVENTS_RESOURCE)
def events(context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource) -> Results:
    with clinic_step(context, fullscript, warehouse) as step:
        report = event_pulls.pull_events(step.target, step.session, step.store)
        fill_event_objects(step.target.warehouse, step.store, step.session.clinic)
        yield from step.results([report], EVENTS_RESOURCE)


@clinic_asset("treatment_plans", TREATMENT_PLANS_RESOURCE)
def treatment_plans(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with clinic_step(context, fullscript, warehouse) as step:
        touched = event_pulls.awaited_plan_ids(step.target, step.session.clinic.clinic_id)
        left = pull_orders_of_departed_patients(step.target, step.session)
        report = plan_pulls.pull_plans(step.target, step.session, touched, step.settings.sweep_days)
        # Plans are the last thing that a clinic's pull reads for its events.
        record_pull_outcomes(step.target.warehouse, step.store, step.session.clinic)
        yield from step.results([report, *([left] if left else [])], TREATMENT_PLANS_RESOURCE)
