"""A plan that recommends a lab, made in the sandbox, and the page of a patient after a refresh.

What does not belong here: assertions.
"""

from fullscript_pipeline.maintenance.page_rebuild import ClinicDay, rebuild_touched
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.sandbox.labs import open_labs
from fullscript_pipeline.sandbox.plans import activate_plan, draft_plan
from fullscript_pipeline.sandbox.world import Lab, Plan
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic

PANEL = {"id": "panel-1", "name": "Thyroid panel", "requires_fasting": False, "instructions": ""}


def plan_with_lab(live_clinic: LiveClinic, number: int, *, is_known: bool = True) -> tuple[Plan, Lab]:
    """A plan that recommends a lab and was activated; `is_known`: a pull has seen it."""
    patient = list(live_clinic.world.patients.values())[number]
    plan = draft_plan(live_clinic.world, patient, live_clinic.sandbox.moment, live_clinic.rng)
    plan.record["lab_recommendations"] = [PANEL | {"tests": [{"id": "test-1", "name": "TSH"}]}]
    activate_plan(live_clinic.world, plan, live_clinic.sandbox.moment, live_clinic.rng)
    live_clinic.just_now()
    open_labs(live_clinic.world, plan, live_clinic.rng)
    if is_known:
        live_clinic.pull_everything()
    return plan, list(live_clinic.world.labs.values())[-1]


def page(live_clinic: LiveClinic, patient: str, touched: tuple[str, ...]) -> str:
    """The patient's page after a refresh touched these patients."""
    settings, clinic = live_clinic.connected.settings, live_clinic.clinic
    store = ReportStore(settings.reports_dir)
    day = ClinicDay(
        settings=settings, warehouse=open_warehouse(settings), clinic=clinic, day=live_clinic.sandbox.world.day
    )
    rebuild_touched(day, store, touched)
    return store.path_for_patient(live_clinic.clinic.clinic_key, patient).read_text()
