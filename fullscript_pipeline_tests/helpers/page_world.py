"""A pulled clinic of the sandbox with its marts, and its pages in both languages.

What the pages claim is held against it. What does not belong here: the claims (`reports/test_page_claims.py`,
`reports/test_people_claims.py`).
"""

from pathlib import Path
from typing import Any

import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.maintenance.page_rebuild import ClinicDay, rebuild_mart
from fullscript_pipeline.maintenance.warehouse_factory import mart_ddl
from fullscript_pipeline.reports import ReportStore, load_page_context, write_adherence_pages, write_index
from fullscript_pipeline.reports.thresholds import ReportPolicy
from fullscript_pipeline.settings import AdherencePolicy
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.clinic_fixture import open_live_clinic

# So that somebody is on the call list of a world that is young.
POLICY = AdherencePolicy(never_ordered_days=5)
_TABLES = {
    "rows": "SELECT * FROM marts.adherence WHERE clinic_id = ?",
    "people": "SELECT * FROM core.patients WHERE clinic_id = ? AND removed_at IS NULL",
    "labs": "SELECT patient_id, name, state, state_raw, valid_from FROM core.lab_orders WHERE clinic_id = ? "
    "AND removed_at IS NULL",
    "panels": "SELECT p.patient_id, p.available_at, p.state, r.name, p.treatment_plan_id IN (SELECT treatment_plan_id "
    "FROM core.lab_orders WHERE removed_at IS NULL) AS is_ordered FROM core.lab_recommendations r "
    "JOIN core.treatment_plans p USING (clinic_id, treatment_plan_id) "
    "WHERE r.clinic_id = ? AND r.removed_at IS NULL AND p.removed_at IS NULL",
}


def build_page_world(folder: Path, patients: int = 60) -> dict[str, Any]:
    """The stores by language, the clinic's key, the day, and the rows behind the pages."""
    with open_live_clinic(folder, patients=patients) as live:
        clinic = live.clinic
        settings = live.connected.settings.model_copy(update={"adherence": POLICY})
        day, now, zone = clock.today(settings.time_zone), clock.now(), settings.time_zone
        migrate(live.warehouse, mart_ddl())
        rebuild_mart(ClinicDay(settings=settings, warehouse=live.warehouse, clinic=clinic, day=day))
        stores = {code: ReportStore(settings.reports_dir / code) for code in ("en", "fr")}
        with live.warehouse.read() as con:
            for code, store in stores.items():
                context = load_page_context(
                    con,
                    clinic_id=clinic.clinic_id,
                    as_of=day,
                    rendered_at=now,
                    time_zone=zone,
                    last_pull_at=now,
                    shows_contact=True,
                    language=code,
                    policy=ReportPolicy.of(POLICY),
                )
                write_adherence_pages(con, store, context)
                write_index(store, rendered_at=now, time_zone=zone, language=code)
            tables = {name: _rows(con, sql, clinic.clinic_id) for name, sql in _TABLES.items()}
        return {"stores": stores, "key": clinic.clinic_key, "day": day, "zone": zone, **tables}


def _rows(con: duckdb.DuckDBPyConnection, sql: str, clinic_id: str) -> list[dict[str, Any]]:
    cursor = con.execute(sql, [clinic_id])
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
