"""Wrong tables are seen and block what would be made of them."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.checks.tables import count_impossible
from fullscript_pipeline.orchestration.runtime import console_logging
from fullscript_pipeline.orchestration.runtime.in_process_runs import Outcome, run_job
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline

DAY = date(2026, 11, 22)


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[Connected]:
    console_logging.quiet()
    with connected_pipeline(tmp_path, clinics=1, patients=8, products=20) as made:
        yield made


def day(connected: Connected) -> tuple[Outcome, dict[str, bool]]:
    """A clinic's day, and which of its checks passed, by `asset: check`."""
    instance = open_instance(connected.settings)
    add_clinic_partitions(instance, connected.store)
    outcome = run_job(
        instance, "clinic_daily", partition=clinic_partition(connected.store.clinics.all()[0].clinic_key, DAY)
    )
    records = instance.get_records_for_run(outcome.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    found = [record.event_log_entry.asset_check_evaluation for record in records]
    instance.dispose()
    return outcome, {f"{one.asset_key.path[-1]}: {one.check_name}": one.passed for one in found if one}


@pytest.mark.check_all
def test_a_key_that_is_there_twice_stops_the_pages(connected: Connected) -> None:
    outcome, checks = day(connected)
    assert outcome.failures == ()
    assert checks["treatment_plans: keys_are_unique"]
    assert checks["order_line_items: have_their_order"]
    assert checks["adherence: figures_can_be_true"]
    with open_warehouse(load_settings()).write() as con:
        con.execute("INSERT INTO core.orders SELECT * REPLACE ('twice' AS order_id) FROM core.orders LIMIT 2")
    page = connected.settings.reports_dir / "clinics" / connected.store.clinics.all()[0].clinic_key / "index.html"
    written = page.stat().st_mtime_ns
    outcome, checks = day(connected)
    assert not checks["orders: keys_are_unique"]
    (failure,) = outcome.failures
    assert failure.sentence.startswith("1 key of core.orders found more than once. What to do:"), failure.sentence
    assert "adherence_pages" not in {key.split("/")[0] for key in outcome.materialized}
    assert "reports/adherence" not in outcome.materialized
    assert page.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("pdc_max", "1.2", "a share below 0 or above 1"),
        ("pdc_min", "-0.1", "a share below 0 or above 1"),
        ("on_hand_days", "-1", "supply below nothing"),
        ("window_end", "window_start - 1", "a window that ends before it begins"),
        ("status", "NULL", "no status"),
        ("as_of", "as_of - 1", "more than one day"),
    ],
)
def test_a_figure_that_cannot_be_is_counted(
    column: str, value: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    with open_warehouse(load_settings()).write() as con:
        for patient in ("p1", "p2"):
            con.execute(
                "INSERT INTO marts.adherence (clinic_id, patient_id, treatment_plan_id, product_id, as_of, "
                "window_start, window_end, pdc_min, pdc_max, on_hand_days, status) "
                "VALUES ('c', ?, 't', 'x', '2026-11-22', "
                "'2026-01-01', '2026-11-22', 0.5, 0.5, 3, 'covered')",
                [patient],
            )
        assert not any(count_impossible(con, "c").values())
        con.execute(f"UPDATE marts.adherence SET {column} = {value} WHERE patient_id = 'p1'")
        assert {name for name, count in count_impossible(con, "c").items() if count} == {what}
        assert not any(count_impossible(con, "another").values())
