"""One field in another spelling, in every answer: the clinic has its pages, everybody is on them, a refresh goes on."""

from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.maintenance.page_rebuild import ClinicDay, rebuild_mart, rewrite_pages
from fullscript_pipeline.maintenance.warehouse_factory import mart_ddl
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic

# What a server may send, where, and what is noted of it.
ODD: list[tuple[str, str, Any, str, str]] = [
    ("*/clinic", "discount", 16.666666666666668, "clinics", "rounded"),
    ("*/clinic", "patient_count", "many", "clinics", "untyped"),
    ("*/patients", "discount", "a third", "patients", "untyped"),
    ("*/patients", "date_of_birth", "March 1980", "patients", "untyped"),
    ("*/treatment_plans", "updated_at", "last week", "treatment_plans", "untyped"),
    ("*/treatment_plans", "refill", "perhaps", "recommendations", "untyped"),
    ("*/practitioners", "invite_accepted", "perhaps", "practitioners", "untyped"),
]


def pages(one: LiveClinic, folder: Path) -> int:
    """Builds the clinic's mart and its pages; how many pages."""
    day = clock.now().date()
    live_clinic = ClinicDay(settings=one.connected.settings, warehouse=one.warehouse, clinic=one.clinic, day=day)
    rebuild_mart(live_clinic)
    rewrite_pages(live_clinic, ReportStore(folder))
    return len(list(folder.rglob("*.html")))


@pytest.mark.check_all
def test_pages_are_written_whatever_is_odd(tmp_path: Path) -> None:
    with open_live_clinic(tmp_path, patients=6, products=12) as one:
        assert one.rows("SELECT count(*) FROM ops.drift WHERE what IN ('untyped', 'rounded')") == [(0,)]
        migrate(one.warehouse, mart_ddl())
        clean = pages(one, tmp_path / "clean")
        control = one.connected.sandbox.control
        for odd in (ODD[::2], ODD[1::2]):  # of one endpoint one fault at a time
            control.disarm()
            for endpoint, field, value, _, _ in odd:
                control.arm("field_retyped", endpoint=endpoint, field=field, value=value, count=None)
            control.advance(days=1)
            one.connected.set_clock()
            one.pull_everything()
        noted = set(one.rows("SELECT object, what, detail FROM ops.drift"))
        assert {(table, what, field) for _, field, _, table, what in ODD} <= noted
        assert one.rows("SELECT table_name, reason FROM ops.quarantine") == []
        assert one.rows("SELECT name IS NOT NULL FROM core.clinics") == [(True,)]
        assert one.rows("SELECT count(*) FROM core.patients WHERE removed_at IS NULL") == [(len(one.world.patients),)]
        assert pages(one, tmp_path / "odd") >= clean > 1
        one.order()
        one.look()
        assert one.handle()[0].event_ids
