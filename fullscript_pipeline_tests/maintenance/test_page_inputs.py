"""A second pull of a day writes no row and no page where nothing changed, and all of them where something did."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.maintenance.page_rebuild import ClinicDay, update_mart, update_pages
from fullscript_pipeline.maintenance.warehouse_factory import mart_ddl
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic


@pytest.mark.check_all
def test_rows_and_pages_are_made_again_only_from_other_data(tmp_path: Path) -> None:
    with open_live_clinic(tmp_path, patients=5, products=10) as live_clinic:
        migrate(live_clinic.warehouse, mart_ddl())
        settings = live_clinic.connected.settings
        its = ClinicDay(
            settings=settings, warehouse=live_clinic.warehouse, clinic=live_clinic.clinic, day=clock.now().date()
        )
        store = ReportStore(settings.reports_dir)
        rows = update_mart(its)
        pages = update_pages(its, store).patient_pages
        assert rows
        assert pages
        before = {path: path.stat().st_mtime_ns for path in settings.reports_dir.rglob("*.*")}
        written = row_ids(live_clinic)
        live_clinic.pull_everything()
        assert (update_mart(its), update_pages(its, store).patient_pages) == (rows, 0)
        assert {path: path.stat().st_mtime_ns for path in settings.reports_dir.rglob("*.*")} == before
        assert row_ids(live_clinic) == written
        for change in _changes(live_clinic, store):
            change()
            assert update_mart(its) == rows
            assert update_pages(its, store).patient_pages == pages
            assert update_pages(its, store).patient_pages == 0


def _changes(live_clinic: LiveClinic, store: ReportStore) -> list[Callable[[], object]]:
    """What makes other pages: a changed object, a setting of the clinic, a page that is gone, rows that are gone."""
    clinic = live_clinic.clinic

    def run(sql: str) -> None:
        with live_clinic.warehouse.write() as con:
            con.execute(sql)

    return [
        lambda: run("UPDATE core.patients SET first_name = 'New', content_hash = 'other'"),
        lambda: run("UPDATE history.products SET content_hash = 'other' WHERE valid_to IS NULL"),
        lambda: live_clinic.connected.store.choices.set(clinic, language="fr"),
        lambda: store.path_for_export(clinic.clinic_key).unlink(),
    ]


def row_ids(live_clinic: LiveClinic) -> list[tuple[int, ...]]:
    """Where the rows of the mart are stored: other places when they were written again."""
    return [tuple(row) for row in live_clinic.rows("SELECT rowid FROM marts.adherence ORDER BY 1")]
