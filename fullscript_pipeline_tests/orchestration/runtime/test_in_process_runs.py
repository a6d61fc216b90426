"""The jobs on a sandbox, run as the command line runs them: what ends up in tables, pages and on the instance."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import open_session
from fullscript_pipeline.build import build_defs
from fullscript_pipeline.health import check_all
from fullscript_pipeline.health.runs import check_runs
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.assets import order_days_config
from fullscript_pipeline.orchestration.automation.refresh_requests import requests_for, run_config
from fullscript_pipeline.orchestration.checks.all_checks import every_clinic_is_current
from fullscript_pipeline.orchestration.runtime import console_logging
from fullscript_pipeline.orchestration.runtime.in_process_runs import Outcome, run_job
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition, region_partition
from fullscript_pipeline.orchestration.runtime.resources import make_resources
from fullscript_pipeline.refresh import RefreshRequest, poll_feeds
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline

pytestmark = pytest.mark.check_all  # five whole runs before the first test

DAY = date(2026, 11, 22)


class Pipeline:
    """A connected sandbox whose first day is pulled, and the Dagster instance that shows it."""

    def __init__(self, connected: Connected) -> None:
        console_logging.quiet()
        self.connected = connected
        self.instance = open_instance(connected.settings)
        add_clinic_partitions(self.instance, connected.store)
        self.keys = [clinic.clinic_key for clinic in connected.store.clinics.all()]

    def clinic_day(self, key: str, day: date = DAY) -> Outcome:
        return run_job(self.instance, "clinic_daily", partition=clinic_partition(key, day))

    def today(self) -> date:
        return clock.today(self.connected.settings.time_zone)

    def second_day(self) -> date:
        """The day after the first, whichever test comes first to it."""
        if self.today() == DAY:
            self.connected.sandbox.control.advance(days=1)
            self.connected.set_clock()
        return DAY + timedelta(days=1)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(load_settings()).read() as con:
            return con.execute(sql).fetchall()


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with connected_pipeline(tmp_path_factory.mktemp("runs"), patients=10, products=20) as connected:
        made = Pipeline(connected)
        for region in ("us", "ca"):
            assert run_job(made.instance, "catalog_daily", partition=region_partition(region, DAY)).failures == ()
        for key in made.keys:
            assert made.clinic_day(key).failures == ()
        yield made
        made.instance.dispose()


def test_a_clinic_day_makes_rows_and_pages(pipeline: Pipeline) -> None:
    pages = pipeline.connected.settings.reports_dir
    for key in pipeline.keys:
        assert (pages / "clinics" / key / "index.html").exists()
        assert list((pages / "clinics" / key / "patients").glob("*.html"))
    assert pipeline.rows("SELECT count(DISTINCT clinic_id) FROM marts.adherence") == [(3,)]
    assert pipeline.rows("SELECT count(*) FROM marts.adherence WHERE as_of <> DATE '2026-11-22'") == [(0,)]
    assert (pages / "catalog" / "us" / f"{DAY}.html").exists()


def test_the_first_day_of_a_catalog_is_no_news(pipeline: Pipeline) -> None:
    assert pipeline.rows("SELECT count(*) FROM marts.catalog_changes WHERE change = 'added'") == [(0,)]


def test_the_run_is_on_the_instance_with_the_origin_of_the_code_location(pipeline: Pipeline) -> None:
    run = pipeline.instance.get_runs(limit=1)[0]
    origin = run.remote_job_origin
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert origin is not None
    assert origin.repository_origin.code_location_origin.location_name == "fullscript_pipeline"
    assert run.has_repository_load_data is not None


def test_no_metadata_tag_or_config_names_a_patient(pipeline: Pipeline) -> None:
    names = {
        name for row in pipeline.rows("SELECT first_name, last_name, email FROM core.patients") for name in row if name
    }
    told = []
    for run in pipeline.instance.get_runs():
        told += [str(run.tags), str(run.run_config)]
        told += [str(record.event_log_entry) for record in pipeline.instance.get_records_for_run(run.run_id).records]
    text = "\n".join(told)
    assert not {name for name in names if len(name) > 3 and f" {name}" in text}


def test_a_past_snapshot_makes_nothing_and_says_why_without_failing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_START_DATE", "2026-11-01")
    before = pipeline.rows("SELECT count(*) FROM ops.pulls WHERE resource <> 'orders_backfill'")
    outcome = pipeline.clinic_day(pipeline.keys[0], date(2026, 11, 1))
    assert outcome.failures == ()
    assert outcome.materialized.keys() <= {"core/orders", "core/order_line_items"}
    assert pipeline.rows("SELECT count(*) FROM ops.pulls WHERE resource <> 'orders_backfill'") == before
    run = pipeline.instance.get_run_by_id(outcome.run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.SUCCESS
    seen = pipeline.instance.fetch_observations(dg.AssetKey(["core", "clinics"]), limit=1).records[0].asset_observation
    assert seen is not None
    assert "lists show the present" in str(seen.description).lower()
    assert seen.partition == clinic_partition(pipeline.keys[0], date(2026, 11, 1))


def test_a_cell_says_whose_rows_it_has_and_its_run_and_checks_whose_they_are(pipeline: Pipeline) -> None:
    outcome = run_job(pipeline.instance, "clinic_daily", partition=clinic_partition(pipeline.keys[1], pipeline.today()))
    orders, mart = outcome.materialized["core/orders"], outcome.materialized["marts/adherence"]
    assert 0 < orders["rows_of_clinic"] < orders["dagster/row_count"]
    assert mart["rows_of_clinic"] == mart["rows"] < mart["dagster/row_count"]
    assert {type(mart[name]) for name in ("late", "never_ordered")} == {int}
    assert sum(count for name, count in mart.items() if name.startswith("status_")) == mart["rows"]
    run = pipeline.instance.get_run_by_id(outcome.run_id)
    assert run is not None
    assert run.tags["fullscript/clinic"] == pipeline.keys[1]
    records = pipeline.instance.get_records_for_run(
        outcome.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ).records
    checks = [record.event_log_entry.asset_check_evaluation for record in records]
    assert len(checks) >= 8
    assert {str(check.metadata["clinic"].value) for check in checks if check} == {pipeline.keys[1]}
    assert all(str(check.description).startswith(f"{pipeline.keys[1]}: ") for check in checks if check)


def test_the_grid_begins_with_the_first_connection(pipeline: Pipeline) -> None:
    repository = build_defs(load_settings).get_repository_def()
    grid = repository.get_job("clinic_daily").partitions_def
    assert grid is not None
    keys = grid.get_partition_keys(dynamic_partitions_store=pipeline.instance)
    assert min(key.split("|")[1] for key in keys) == DAY.isoformat()


def test_orders_before_the_first_partition_are_one_run_that_fills_no_cell(pipeline: Pipeline) -> None:
    key, orders = pipeline.keys[0], dg.AssetKey(["core", "orders"])
    before = pipeline.instance.get_materialized_partitions(orders)
    days = order_days_config(date(2026, 10, 24), date(2026, 11, 21))
    outcome = run_job(
        pipeline.instance, "orders_backfill", partition=clinic_partition(key, pipeline.today()), run_config=days
    )
    assert outcome.failures == ()
    assert pipeline.rows(f"SELECT count(*) FROM ops.pulls WHERE run_id = '{outcome.run_id}'") == [(1,)]
    assert pipeline.instance.get_materialized_partitions(orders) == before
    assert outcome.observed["core/orders"]["first_day"] == "2026-10-24"
    assert outcome.observed["core/orders"]["rows_read"] >= 0


def test_thirty_days_of_orders_in_the_grid_are_one_run(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_START_DATE", "2026-10-01")
    key = pipeline.keys[0]
    cells = (clinic_partition(key, date(2026, 10, 24)), clinic_partition(key, date(2026, 11, 22)))
    names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    outcome = run_job(pipeline.instance, "orders_backfill", tags=dict(zip(names, cells, strict=True)))
    assert outcome.failures == ()
    assert pipeline.rows(f"SELECT count(*) FROM ops.pulls WHERE run_id = '{outcome.run_id}'") == [(1,)]
    filled = pipeline.instance.get_materialized_partitions(dg.AssetKey(["core", "orders"]))
    assert len({cell for cell in filled if cell.startswith(f"{key}|") and cell >= f"{key}|2026-10-24"}) >= 30


def test_a_clock_behind_the_last_observation_is_refused(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", "2026-11-22T11:00:00Z")
    told = pipeline.clinic_day(pipeline.keys[0]).failures[0]
    assert "FULLSCRIPT_NOW" in told.sentence
    assert told.exit_code == 78


def test_sensors_add_clinics_and_say_when_nothing_is_new(pipeline: Pipeline) -> None:
    repository = build_defs(load_settings).get_repository_def()
    with dg.build_sensor_context(
        instance=pipeline.instance, repository_def=repository, resources=make_resources(load_settings)
    ) as context:
        skipped = repository.get_sensor_def("connected_clinics_sensor").evaluate_tick(context)
    assert skipped.skip_message == "3 clinics known, none new."


def test_schedules_ask_for_one_run_per_clinic_and_region(pipeline: Pipeline) -> None:
    repository = build_defs(load_settings).get_repository_def()
    for name, wanted in (
        ("clinic_daily_schedule", {str(clinic_partition(key, DAY)) for key in pipeline.keys}),
        ("catalog_daily_schedule", {str(region_partition(region, DAY)) for region in ("us", "ca")}),
    ):
        with dg.build_schedule_context(
            instance=pipeline.instance,
            repository_def=repository,
            resources=make_resources(load_settings),
            scheduled_execution_time=clock.real_now(),
        ) as context:
            ticked = repository.get_schedule_def(name).evaluate_tick(context)
        assert {request.partition_key for request in ticked.run_requests or []} == wanted


def test_an_event_round_refreshes_just_what_it_is_about(pipeline: Pipeline) -> None:
    connected = pipeline.connected
    happened = connected.sandbox.control.advance(days=1)
    connected.set_clock()
    orders = pipeline.rows("SELECT count(*) FROM core.orders")[0][0]
    for clinic in connected.store.clinics.all():
        with open_session(connected.settings, connected.store, clinic) as session:
            found = poll_feeds(session, connected.store)
            assert found is not None
            asked = list(requests_for(connected.store, clinic, found, pipeline.today()))
            assert [request.job_name for request in asked] == ["clinic_refresh"]
            assert poll_feeds(session, connected.store) is None, "a round that was asked for is not asked for again"
        assert run_job(pipeline.instance, "clinic_refresh", run_config=run_config(found)).failures == ()
        assert connected.store.events.pending(clinic.server, clinic.clinic_id) == []
    assert pipeline.rows("SELECT count(*) FROM core.orders")[0][0] == orders + happened["totals"]["orders"]
    assert pipeline.rows("SELECT DISTINCT as_of FROM marts.adherence") == [(date(2026, 11, 23),)]
    # Later on the same day only the touched patients' pages are written again.
    pages = connected.settings.reports_dir / "clinics" / clinic.clinic_key / "patients"
    before = {page.name: page.stat().st_mtime_ns for page in pages.glob("*.html")}
    assert found is not None
    one_event = RefreshRequest(clinic_key=clinic.clinic_key, event_ids=found.event_ids[:1])
    assert run_job(pipeline.instance, "clinic_refresh", run_config=run_config(one_event)).failures == ()
    written = [name for name, at in before.items() if (pages / name).stat().st_mtime_ns != at]
    assert len(written) <= 1 < len(before)


def test_orders_that_are_refused_all_at_once_are_told_wherever_somebody_looks(pipeline: Pipeline) -> None:
    """A refusal fails no run; pages made without the orders must not look as if nobody had ordered."""
    connected, day = pipeline.connected, pipeline.second_day()
    clinic = connected.store.clinics.all()[-1]
    page = connected.settings.reports_dir / "clinics" / clinic.clinic_key / "index.html"
    assert "does not let this app read" not in page.read_text()
    connected.sandbox.control.arm("forbidden", endpoint="/clinic/orders", count=None)
    try:
        assert pipeline.clinic_day(clinic.clinic_key, day).failures == ()
    finally:
        connected.sandbox.control.disarm()
    assert "does not let this app read orders since 22 Nov 2026" in page.read_text()
    with dg.build_resources(make_resources(load_settings)) as resources:
        check = every_clinic_is_current(resources.state, resources.warehouse)
    assert isinstance(check, dg.AssetCheckResult)
    assert f"{clinic.clinic_key} may not read orders" in str(check.description)
    (found,) = [one for one in check_all(connected.settings) if one.id == f"clinic.{clinic.clinic_key}.readable"]
    assert (found.state, "the server refuses orders (last read 2026-11-22" in found.what) == ("fail", True)
    assert pipeline.clinic_day(clinic.clinic_key, day).failures == ()
    assert "does not let this app read" not in page.read_text()


def test_a_clinic_whose_grant_is_gone_says_so_and_the_others_go_on(pipeline: Pipeline, tmp_path: Path) -> None:
    connected, day = pipeline.connected, pipeline.second_day()
    slug = "maple-street"
    connected.sandbox.control.revoke(slug)
    codes = {}
    for clinic in connected.store.clinics.all():
        failures = pipeline.clinic_day(clinic.clinic_key, day).failures
        codes[clinic.clinic_id] = {failure.exit_code for failure in failures}
    dead = connected.sandbox.clinics[slug]["clinic_id"]
    assert codes.pop(dead) == {77}
    assert set().union(*codes.values()) == set()
    assert [clinic.status for clinic in connected.store.clinics.all() if clinic.clinic_id == dead] == ["needs_connect"]
    assert dead_clinic_is_named(pipeline, dead)
    key = next(one.clinic_key for one in connected.store.clinics.all() if one.clinic_id == dead)
    (found,) = [one for one in check_all(connected.settings) if one.id == "runs.failed"]
    assert (found.state, found.what.count("clinic_daily"), key in found.what) == ("warn", 1, True), found
    with StateStore(tmp_path / "elsewhere.sqlite") as store:
        gone = store.clinics.register(
            "us-snd", dead, "us", next(one.name for one in connected.store.clinics.all() if one.clinic_key == key)
        )
        store.clinics.remove(gone)
        (after,) = check_runs(connected.settings, store)
        assert (gone.clinic_key, key in after.what) == (key, False), "of a clinic that left, none is waited for"
    # It was alive when the region's run chose whom to ask.
    connected.store.clinics.mark_ok(next(one for one in connected.store.clinics.all() if one.clinic_id == dead))
    assert run_job(pipeline.instance, "catalog_daily", partition=region_partition("us", day)).failures == ()


def dead_clinic_is_named(pipeline: Pipeline, clinic_id: str) -> bool:
    """The check that the next run of any clinic makes says which one needs a connect."""
    key = next(one.clinic_key for one in pipeline.connected.store.clinics.all() if one.clinic_id == clinic_id)
    with dg.build_resources(make_resources(load_settings)) as resources:
        result = every_clinic_is_current(resources.state, resources.warehouse)
    assert isinstance(result, dg.AssetCheckResult)
    return not result.passed and key in str(result.metadata["needs_connect"])
