"""A plan that recommends a lab, made in the sandbox, and the page of a patient after a refresh.

What does not belong here: assertions.
"""

from fullscript_pipeline.maintenance.page_rebuild import ClinicDay, rebuild_touched
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.sandbox.labs import open_labs
from fullscript_pipeline.sandbox.plans import activate_plan, draft_plan
from fullscript_pipeline.sandbox.world import Lab, Plan
from fullscript_pipeline_tests.helpers.clinic_fixture import Living

PANEL = {"id": "panel-1", "name": "Thyroid panel", "requires_fasting": False, "instructions": ""}


def plan_with_lab(its: Living, number: int, *, is_known: bool = True) -> tuple[Plan, Lab]:
    """A plan that recommends a lab and was activated; `is_known`: a pull has seen it."""
    patient = list(its.world.patients.values())[number]
    plan = draft_plan(its.world, patient, its.sandbox.moment, its.rng)
    plan.record["lab_recommendations"] = [PANEL | {"tests": [{"id": "test-1", "name": "TSH"}]}]
    activate_plan(its.world, plan, its.sandbox.moment, its.rng)
    its.just_now()
    open_labs(its.world, plan, its.rng)
    if is_known:
        its.pull_everything()
    return plan, list(its.world.labs.values())[-1]


def page(its: Living, patient: str, touched: tuple[str, ...]) -> str:
    """The patient's page after a refresh touched these patients."""
    settings, clinic = its.connected.settings, its.clinic
    store = ReportStore(settings.reports_dir)
    day = ClinicDay(settings=settings, warehouse=open_warehouse(settings), clinic=clinic, day=its.sandbox.world.day)
    rebuild_touched(day, store, touched)
    return store.path_for_patient(its.clinic.clinic_key, patient).read_text()
