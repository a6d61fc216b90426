"""A connected clinic with a healthy installation, and ways to break it; for the tests of `health`.

What does not belong here: what the checks find (`fullscript_pipeline_tests/health`).
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.health import Finding, check_all
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox

KEY = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="
Ready = tuple[RunningSandbox, Settings, ClinicRef]


def record_pull(settings: Settings, clinic_id: str, ago: timedelta) -> None:
    with Warehouse(settings.warehouse_path, settings.warehouse_key).maintain() as con:
        con.execute("CREATE SCHEMA IF NOT EXISTS ops")
        con.execute(
            "CREATE OR REPLACE TABLE ops.pulls AS "
            "SELECT ? AS clinic_id, 'us' AS region, ?::TIMESTAMPTZ AS observed_at, "
            "observed_at AS finished_at, "
            "unnest(['patients', 'treatment_plans', 'orders', 'products']) AS resource, 'loaded' AS outcome",
            [clinic_id, clock.now() - ago],
        )
        # What was read since says nothing of what was not.
        con.execute(
            "INSERT INTO ops.pulls VALUES ($1, 'us', $2, $2, 'clinic_brands', 'loaded')", [clinic_id, clock.now()]
        )
    detach_all()


def findings_by_id(settings: Settings) -> dict[str, Finding]:
    return {finding.id: finding for finding in check_all(settings)}


def with_late_pull(settings: Settings) -> Settings:
    with StateStore.open(settings) as store:
        record_pull(settings, store.clinics.all()[0].clinic_id, timedelta(days=3))
    return settings


def with_server(settings: Settings, name: str, **changes: Any) -> Settings:
    changed = replace(settings.server(name), **changes)
    return settings.model_copy(update={"servers": {**settings.servers, name: changed}})
