"""Pages without a pull: after one that failed they say how old their data is; of an earlier day they stand apart."""

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from fullscript_pipeline.cli.page_rebuild import pages_run, runs_for_stale_pages
from fullscript_pipeline.cli.run_partitions import PlannedRun, execute_runs
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.automation.failed_pull_sensor import PAGES, TAG, pages_after_a_failed_pull_sensor
from fullscript_pipeline.orchestration.automation.jobs import clinic_daily
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition
from fullscript_pipeline.orchestration.runtime.resources import make_resources
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline

LONG_AGO, FIRST, TODAY = date(2026, 11, 1), date(2026, 11, 22), date(2026, 11, 23)


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connected]:
    with connected_pipeline(tmp_path_factory.mktemp("stale"), clinics=1, patients=6, products=10) as found:
        # Before the definitions are first used: a process reads once where the grid begins.
        os.environ["FULLSCRIPT_START_DATE"] = LONG_AGO.isoformat()
        instance = open_instance(found.settings)
        add_clinic_partitions(instance, found.store)
        (clinic,) = found.store.clinics.all()
        code, done = execute_runs(instance, [cell(clinic.clinic_key, FIRST)])
        assert (code, runs_for_stale_pages(load_settings(), done)) == (0, [])
        instance.dispose()
        yield found


def cell(key: str, day: date) -> PlannedRun:
    return PlannedRun(label=f"{key} {day}", job="clinic_daily", partition=clinic_partition(key, day))


@pytest.mark.check_all
def test_an_earlier_day_replaces_neither_rows_nor_pages(connected: Connected) -> None:
    (clinic,) = connected.store.clinics.all()
    reports, past = connected.settings.reports_dir, LONG_AGO
    before = (_rows(), _content(reports / "clinics"))
    instance = open_instance(connected.settings)
    code, done = execute_runs(instance, [pages_run(load_settings(), clinic.clinic_key, past)])
    page = reports / "as-of" / "2026-11-01" / "clinics" / clinic.clinic_key / "index.html"
    assert (code, done[0][1].observed["reports/adherence"]["page"]) == (0, str(page))
    assert "Data as of the end of 1 Nov 2026" in page.read_text()
    assert "This page shows an earlier day" in page.read_text()
    assert 'href="as-of/2026-11-01/index.html"' in (reports / "index.html").read_text()
    assert 'href="../../index.html"' in (reports / "as-of" / "2026-11-01" / "index.html").read_text()
    assert (_rows(), _content(reports / "clinics")) == before
    partition = clinic_partition(clinic.clinic_key, past)
    marts = PlannedRun(
        label="marts", job="clinic_daily", partition=partition, assets=PAGES - {dg.AssetKey(["reports", "adherence"])}
    )
    code, skipped = execute_runs(instance, [marts])
    assert (code, dict(skipped[0][1].materialized), _rows()) == (0, {}, before[0])
    seen = instance.fetch_observations(dg.AssetKey(["marts", "adherence"]), limit=1).records[0].asset_observation
    assert seen is not None
    assert "report adherence --as-of 2026-11-01" in str(seen.description)
    instance.dispose()


def _rows() -> list[Any]:
    with open_warehouse(load_settings()).read() as con:
        return con.execute("SELECT * FROM marts.adherence ORDER BY ALL").fetchall()


def _content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.check_all
def test_a_failed_pull_is_followed_by_pages_that_say_so(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = open_instance(connected.settings)
    (clinic,) = connected.store.clinics.all()
    monkeypatch.setenv("FULLSCRIPT_NOW", "2026-11-23T13:00:00Z")
    connected.sandbox.control.revoke(next(iter(connected.sandbox.clinics)))
    code, failed = execute_runs(instance, [cell(clinic.clinic_key, TODAY)])
    (again,) = runs_for_stale_pages(load_settings(), failed)
    assert (code, again.partition, again.assets) == (77, clinic_partition(clinic.clinic_key, TODAY), PAGES)
    assert execute_runs(instance, [again])[0] == 0
    page = connected.settings.reports_dir / "clinics" / clinic.clinic_key / "index.html"
    html = page.read_text()
    assert "Data as of 22 Nov 2026, 12:00" in html
    assert "The last successful pull was on 22 Nov 2026, 12:00 UTC" in html
    run = instance.get_run_by_id(failed[0][1].run_id)
    assert run is not None
    request = _sensed(instance, run)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == again.partition
    assert set(request.asset_selection or ()) == set(PAGES)
    own = instance.get_runs(dg.RunsFilter(tags={TAG: "yes"}))[0]
    assert isinstance(_sensed(instance, own), dg.SkipReason), "a failure of the pages must not ask for pages for ever"
    monkeypatch.setenv("FULLSCRIPT_NOW", "2026-11-24T13:00:00Z")
    assert isinstance(_sensed(instance, run), dg.SkipReason), "a past cell must not replace today's pages"
    assert runs_for_stale_pages(load_settings(), failed) == []
    instance.dispose()


def _sensed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> object:
    event = dg.DagsterEvent("PIPELINE_FAILURE", job_name=clinic_daily.name)
    with dg.build_run_status_sensor_context(
        sensor_name="pages_after_a_failed_pull_sensor",
        dagster_instance=instance,
        dagster_run=run,
        dagster_event=event,
        resources=make_resources(load_settings),
    ) as context:
        return pages_after_a_failed_pull_sensor(context.for_run_failure())
