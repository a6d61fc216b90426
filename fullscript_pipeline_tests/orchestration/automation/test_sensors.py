"""The sensors: what a tick sees, asks for and says; and that the run it asks for changes the patient's page."""

import json
import logging
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import dagster as dg
import pytest

from fullscript_pipeline import clock, refresh
from fullscript_pipeline.job_names import plain_job_name
from fullscript_pipeline.json_lines import JsonFormatter
from fullscript_pipeline.maintenance import page_rebuild as rebuild
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.assets import CLOSED_DAY_TAG
from fullscript_pipeline.orchestration.automation import event_alerts, event_sensors, failure_alerts, sensors
from fullscript_pipeline.orchestration.checks import events
from fullscript_pipeline.orchestration.runtime.in_process_runs import run_job
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.resources import make_resources
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.lab_plans import plan_with_lab


@pytest.fixture(scope="module")
def live_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveClinic]:
    with open_live_clinic(tmp_path_factory.mktemp("sensors"), patients=6, products=10, pulled=False) as found:
        opened, day = open_warehouse(load_settings()), clock.today(found.connected.settings.time_zone)
        found.warehouse = opened
        found.pull_everything()
        clinic_day = rebuild.ClinicDay(
            settings=found.connected.settings, warehouse=opened, clinic=found.clinic, day=day
        )
        rebuild.rebuild_mart(clinic_day)
        rebuild.rewrite_pages(clinic_day, ReportStore(clinic_day.settings.reports_dir))
        yield found


@pytest.fixture
def instance(live_clinic: LiveClinic) -> Iterator[dg.DagsterInstance]:
    with open_instance(live_clinic.connected.settings) as found:
        yield found


def tick(
    sensor: Any, instance: dg.DagsterInstance, cursor: str | None = None
) -> tuple[Any, dg.SensorEvaluationContext]:
    resources = make_resources(load_settings)
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        return sensor(context), context


def seconds_to_the_next_poll(context: dg.SensorEvaluationContext) -> float:
    """From the event that the tick has found."""
    place = json.loads(context.cursor or "{}")
    return (datetime.fromisoformat(place["next"]) - datetime.fromisoformat(place["latest_event"])).total_seconds()


def test_a_tick_says_what_it_saw_and_the_run_changes_the_patients_page(
    live_clinic: LiveClinic, instance: dg.DagsterInstance
) -> None:
    said, context = tick(sensors.clinic_events_sensor, instance)
    assert isinstance(said, dg.SkipReason)
    assert "Polled 1 clinic (5 feeds)" in str(said.skip_message)
    again, _ = tick(sensors.clinic_events_sensor, instance, context.cursor)
    assert "The next poll is in 1" in str(again.skip_message)
    plan = live_clinic.active_plans()[0]
    live_clinic.change_plan(plan, state="cancelled")
    page = live_clinic.connected.settings.reports_dir / "clinics" / live_clinic.clinic.clinic_key / "patients"
    page = page / f"{plan.record['patient']['id']}.html"
    before = page.read_text()
    result, context = tick(sensors.clinic_events_sensor, instance)
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert request.job_name == "clinic_refresh"
    assert seconds_to_the_next_poll(context) <= 5, "the next events are looked for sooner"
    later, _ = tick(sensors.clinic_events_sensor, instance)
    assert isinstance(later, dg.SkipReason), "nobody asks twice within a quarter of an hour"
    done = run_job(instance, "clinic_refresh", run_config=request.run_config, tags=request.tags)
    assert done.succeeded
    assert page.read_text() != before
    assert live_clinic.store.events.pending(live_clinic.clinic.server, live_clinic.clinic.clinic_id) == []
    for key in ("core/events", "core/treatment_plans", "marts/adherence"):
        (seen,) = instance.fetch_observations(dg.AssetKey(key.split("/")), limit=1).records
        assert seen.asset_observation is not None
        assert seen.asset_observation.metadata["clinic"].value == live_clinic.clinic.clinic_key


def test_the_inbox_is_drained_into_one_refresh(live_clinic: LiveClinic, instance: dg.DagsterInstance) -> None:
    empty, _ = tick(event_sensors.webhook_inbox_sensor, instance)
    assert "empty" in str(empty.skip_message)
    live_clinic.order()
    live_clinic.receive(
        live_clinic.payload(list(live_clinic.world.events)[-1]), {"id": "far", "type": "order.placed", "clinic_id": "x"}
    )
    result, _ = tick(event_sensors.webhook_inbox_sensor, instance)
    assert isinstance(result, dg.SensorResult)
    assert [one.job_name for one in result.run_requests or []] == ["clinic_refresh"]
    live_clinic.handle()
    assert {state for state, _ in live_clinic.inbox().values()} == {"handled", "failed"}


def test_the_reconcile_runs_once_an_hour_and_shows_in_the_ui(
    live_clinic: LiveClinic, instance: dg.DagsterInstance
) -> None:
    live_clinic.order()
    result, _ = tick(event_sensors.event_reconcile_sensor, instance)
    assert isinstance(result, dg.SensorResult)
    assert [one.job_name for one in result.run_requests or []] == ["clinic_refresh"]
    (seen,) = result.asset_events
    assert seen.metadata["missed_in_feeds"].value == 1
    again, _ = tick(event_sensors.event_reconcile_sensor, instance)
    assert isinstance(again, dg.SkipReason)
    live_clinic.handle()
    an_hour_ago = (clock.real_now() - timedelta(hours=1)).isoformat()
    live_clinic.store.feeds.set_position(
        live_clinic.clinic.server, live_clinic.clinic.clinic_id, "reconciled_real", an_hour_ago
    )
    idle, _ = tick(event_sensors.event_reconcile_sensor, instance)
    assert isinstance(idle, dg.SensorResult)
    assert "0 missed, 0 webhooks attempted" in str(idle.skip_reason)
    assert len(idle.asset_events) == 1


def test_a_run_that_waits_takes_new_events_along(live_clinic: LiveClinic, instance: dg.DagsterInstance) -> None:
    live_clinic.order()
    tags = {"fullscript/clinic": live_clinic.clinic.clinic_key}
    waiting = dg.DagsterRun(job_name="clinic_refresh", run_id=dg._core.utils.make_new_run_id(), tags=tags)
    instance.add_run(waiting)
    said, _ = tick(sensors.clinic_events_sensor, instance)
    assert isinstance(said, dg.SkipReason)
    assert "a refresh is queued already" in str(said.skip_message)
    instance.delete_run(waiting.run_id)
    live_clinic.handle()


def looked(check: dg.AssetChecksDefinition) -> dg.AssetCheckResult:
    with dg.build_resources(make_resources(load_settings)) as resources:
        result = check(resources.state)
    assert isinstance(result, dg.AssetCheckResult)
    return result


def test_the_checks_tell_of_old_feeds_and_of_silence(live_clinic: LiveClinic, monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked(events.event_feeds_are_fresh).passed
    assert looked(events.webhooks_are_heard).passed
    monkeypatch.setenv("FULLSCRIPT_NOW", (clock.now() + timedelta(days=22)).isoformat())
    found = looked(events.event_feeds_are_fresh)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "22 days ago" in str(found.description)
    monkeypatch.setenv("FULLSCRIPT_US_SND_WEBHOOK_CHALLENGE_TOKEN", "t")
    monkeypatch.setenv("FULLSCRIPT_US_SND_WEBHOOK_SIGNATURE_KEYS", "k")
    heard = looked(events.webhooks_are_heard)
    assert (heard.passed, heard.severity) == (True, dg.AssetCheckSeverity.WARN)


class _Listener(BaseHTTPRequestHandler):
    told: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        _Listener.told.append(json.loads(body))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


def test_a_failure_leaves_the_machine_by_command_and_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "told.json"
    script = (
        f"import json, os, sys; open({str(kept)!r}, 'w').write(sys.stdin.read()); "
        f"open({str(kept) + '.env'!r}, 'w').write(repr(dict(os.environ)))"
    )
    for name in ("ENCRYPTION_KEY", "US_CLIENT_SECRET", "CA_SND_WEBHOOK_SIGNATURE_KEYS", "PUBLISH_KEY"):
        monkeypatch.setenv(f"FULLSCRIPT_{name}", "a-long-and-secret-canary")
    monkeypatch.setenv("FULLSCRIPT_ON_FAILURE_COMMAND", f'{sys.executable} -c "{script}"')
    with HTTPServer(("127.0.0.1", 0), _Listener) as server:
        Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("FULLSCRIPT_ON_FAILURE_URL", f"http://127.0.0.1:{server.server_port}/x")
        said = failure_alerts.send_alerts(load_settings(), {"job": "clinic_daily"})
    assert said == ["The alert was sent to the command.", "The alert was sent to the URL (status 202)."]
    assert json.loads(kept.read_text()) == {"job": "clinic_daily"} == _Listener.told[0]
    seen = Path(f"{kept}.env").read_text()
    assert "FULLSCRIPT_ON_FAILURE_COMMAND" in seen and "PATH" in seen
    assert "canary" not in seen and str(server.server_port) not in seen, "it needs none of our secrets"
    monkeypatch.setenv("FULLSCRIPT_ON_FAILURE_COMMAND", str(tmp_path / "missing"))
    monkeypatch.setenv("FULLSCRIPT_ON_FAILURE_URL", f"http://127.0.0.1:{server.server_port}/x")
    assert [("could not be" in one) for one in failure_alerts.send_alerts(load_settings(), {})] == [True, True]


def test_a_failed_run_is_told_in_the_words_of_its_step(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def send_alerts(_: object, message: object) -> list[str]:
        told.append(message)
        return []

    monkeypatch.setattr(failure_alerts, "send_alerts", send_alerts)
    monkeypatch.setenv("FULLSCRIPT_ON_FAILURE_COMMAND", "x")
    config = {"ops": {"refresh_touched": {"config": {"clinic": "nobody", "event_ids": []}}}}
    failed = run_job(instance, "clinic_refresh", run_config=config)
    run = instance.get_run_by_id(failed.run_id)
    assert run is not None
    event = dg.DagsterEvent("PIPELINE_FAILURE", job_name="clinic_refresh")
    with dg.build_run_status_sensor_context(
        sensor_name="tell_of_failures_sensor",
        dagster_instance=instance,
        dagster_run=run,
        dagster_event=event,
        resources=make_resources(load_settings),
    ) as context:
        failure_alerts.tell_of_failures_sensor(context.for_run_failure())
    (message,) = told
    assert message["job"] == "clinic_refresh"
    assert "No clinic 'nobody' is connected" in message["failures"][0]["sentence"]


def test_a_run_launched_from_assets_is_told_by_their_names() -> None:
    assert plain_job_name("clinic_daily", ["core/orders"]) == "clinic_daily"
    assert plain_job_name("__ASSET_JOB", ["core/staff", "core/orders"]) == "materialize core/orders and 1 more"
    run = dg.DagsterRun("__ASSET_JOB", str(uuid.uuid4()), asset_selection=frozenset([dg.AssetKey(["core", "orders"])]))
    assert failure_alerts.run_fields(run)["job"] == "materialize core/orders"
    record = logging.LogRecord("dagster", logging.INFO, "", 0, "Started.", (), None)
    record.dagster_meta = {"job_name": "__ASSET_JOB", "run_id": run.run_id}
    assert json.loads(JsonFormatter().format(record))["job"] == "materialize"


def test_a_recovery_is_told_once_and_only_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.instance_for_test() as instance:

        def job(outcome: str, clinic: str, *assets: str, **tags: str) -> str:
            selection = frozenset(map(dg.AssetKey, assets)) or None
            owner = {"fullscript/clinic": clinic, **tags}
            run = instance.add_run(dg.DagsterRun("empty", str(uuid.uuid4()), asset_selection=selection, tags=owner))
            kinds = {"fails": dg.DagsterEventType.RUN_FAILURE, "works": dg.DagsterEventType.RUN_SUCCESS}
            instance.report_dagster_event(dg.DagsterEvent(kinds[outcome].value, job_name="empty"), run_id=run.run_id)
            return run.run_id

        def has_recovered(run_id: str) -> bool:
            run = instance.get_run_by_id(run_id)
            assert run is not None
            return failure_alerts.has_recovered(instance, run)

        assert not has_recovered(job("works", "maple"))
        job("fails", "maple")
        assert not has_recovered(job("works", "harbor")), "another clinic's failure"
        past = job("works", "maple", **{CLOSED_DAY_TAG: "2026-11-21"})
        assert not has_recovered(past), "a past cell made nothing"
        assert has_recovered(job("works", "maple"))
        assert not has_recovered(job("works", "maple"))
        job("fails", "maple")
        assert not has_recovered(job("works", "maple", "pages")), "the pages say how old they are; nothing was pulled"
        assert has_recovered(job("works", "maple")), "pages in between change nothing"
        job("fails", "maple", "orders")
        assert not has_recovered(job("works", "maple", "patients"))
        assert has_recovered(job("works", "maple", "orders", "patients"))
    monkeypatch.setenv("FULLSCRIPT_ON_RECOVERY_COMMAND", "true")
    assert failure_alerts.send_recovery(load_settings(), {"what": "run recovered"}) == [
        "The alert was sent to the command."
    ]


def test_a_revoked_key_and_an_undocumented_type_are_told_once(
    live_clinic: LiveClinic, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def send_alerts(_: object, message: object) -> list[str]:
        told.append(message)
        return []

    monkeypatch.setattr(failure_alerts, "send_alerts", send_alerts)
    checks: tuple[Any, ...] = (events.clinic_keys_are_valid, events.event_types_are_known)
    for check in checks:
        assert looked(check).passed
    live_clinic.record_event("clinic_key.revoked", {"clinic_key": {"id": "key-1"}})
    live_clinic.record_event("patient.teleported", {"patient": {"id": live_clinic.active_plans()[0].patient_id}})
    live_clinic.reconcile()
    live_clinic.handle()
    for check in checks:
        result = looked(check)
        assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    unset, _ = tick(event_alerts.event_notices_sensor, instance)
    assert "Neither FULLSCRIPT_ON_FAILURE_COMMAND" in str(unset.skip_message)
    monkeypatch.setenv("FULLSCRIPT_ON_FAILURE_COMMAND", "x")
    for _ in range(2):
        tick(event_alerts.event_notices_sensor, instance)
    assert [one["event_type"] for one in told] == ["clinic_key.revoked", "patient.teleported"]
    assert f"disconnect {live_clinic.clinic.clinic_key}" in told[0]["sentence"]


@pytest.mark.check_all
def test_a_tick_polls_labs_and_the_run_changes_the_patients_page(
    live_clinic: LiveClinic, instance: dg.DagsterInstance
) -> None:
    plan, lab = plan_with_lab(live_clinic, 0)
    live_clinic.look()
    live_clinic.handle()
    refresh.watch_labs(live_clinic.warehouse, live_clinic.store, live_clinic.clinic)
    lab.row["state"] = "processing"
    result, context = tick(sensors.clinic_events_sensor, instance)
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert seconds_to_the_next_poll(context) <= 5
    assert run_job(instance, "clinic_refresh", run_config=request.run_config, tags=request.tags).succeeded
    page = ReportStore(load_settings().reports_dir).path_for_patient(live_clinic.clinic.clinic_key, plan.patient_id)
    assert "Thyroid panel</bdi>: Sample at the laboratory" in page.read_text()
    assert live_clinic.store.labs.moved(live_clinic.clinic) == []
