"""A day of events against an API that answers otherwise where the documentation leaves it open: the same tables."""

from pathlib import Path

import pytest

from fullscript_pipeline_tests.helpers.clinic_fixture import open_live_clinic

# What a day brings that no event tells of.
SILENT = {"clinics", "events", "orders", "category_products", "lab_orders", "patients", "treatment_plans"}


@pytest.mark.check_all
@pytest.mark.parametrize("quirks", ["all", "event_ids_only", "dependent_keys_left_out", "thin_patient_rows"])
def test_a_refresh_leaves_what_a_pull_would(tmp_path: Path, quirks: str) -> None:
    with open_live_clinic(tmp_path, patients=30, products=20, quirks=quirks) as live_clinic:
        live_clinic.connected.sandbox.control.advance(days=1)
        live_clinic.connected.set_clock()
        live_clinic.look()
        done, _ = live_clinic.handle()
        assert {"orders", "plans"} <= done.counts.keys()
        assert live_clinic.rows("SELECT count(*) FROM core.events WHERE event_type IS NULL OR created_at IS NULL") == [
            (0,)
        ]
        again = live_clinic.pull_everything()
        changed = {table: c.added + c.changed + c.removed for table, c in again.items()}
        assert {table for table, number in changed.items() if number} <= SILENT
        # Refunds, archived patients and drafts: a few, never whole tables.
        assert max(changed[table] for table in ("orders", "patients", "treatment_plans")) <= 3, changed
