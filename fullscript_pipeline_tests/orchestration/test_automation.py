"""What runs by itself: once after an outage, never in a crowd, again only after a crash, for new clinics too."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
import pytest
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run

from fullscript_pipeline import clock
from fullscript_pipeline.build import build_defs
from fullscript_pipeline.orchestration.runtime import console_logging
from fullscript_pipeline.orchestration.runtime.in_process_runs import run_job
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition
from fullscript_pipeline.orchestration.runtime.resources import make_resources
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline

DAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connected]:
    console_logging.quiet()
    with connected_pipeline(tmp_path_factory.mktemp("auto"), clinics=2, patients=5, products=20) as made:
        yield made


@pytest.fixture(scope="module")
def instance(connected: Connected) -> Iterator[dg.DagsterInstance]:
    opened = open_instance(connected.settings)
    add_clinic_partitions(opened, connected.store)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def repository(connected: Connected) -> dg.RepositoryDefinition:
    assert connected.settings.data_dir == load_settings().data_dir
    return build_defs(load_settings).get_repository_def()


def asked(repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, schedule: str, days_ago: int) -> list[str]:
    """The run keys that a tick of this schedule asks for when it is evaluated now, so many days late."""
    missed = clock.real_now() - timedelta(days=days_ago)
    with dg.build_schedule_context(
        instance=instance,
        repository_def=repository,
        resources=make_resources(load_settings),
        scheduled_execution_time=missed,
    ) as context:
        ticked = repository.get_schedule_def(schedule).evaluate_tick(context)
    return [request.run_key or "" for request in ticked.run_requests or []]


def test_after_an_outage_the_missed_ticks_are_one_run_a_clinic(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, connected: Connected
) -> None:
    keys = [key for late in (4, 3, 2, 1, 0) for key in asked(repository, instance, "clinic_daily_schedule", late)]
    assert sorted(keys) == sorted(
        str(clinic_partition(clinic.clinic_key, DAY)) for clinic in connected.store.clinics.all()
    )


def test_a_crowd_of_runs_waits_its_turn(instance: dg.DagsterInstance) -> None:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == 3
    limits = {limit["key"]: (limit["limit"], limit["value"]) for limit in queue.tag_concurrency_limits}
    keys = ("fullscript/clinic", "fullscript/region", "dagster/partition/clinic", "dagster/partition/region")
    assert limits == dict.fromkeys(keys, (1, {"applyLimitPerUniqueValue": True}))


def test_a_crash_is_run_again_and_a_failure_with_a_sentence_is_not(
    instance: dg.DagsterInstance, connected: Connected
) -> None:
    key = connected.store.clinics.all()[0].clinic_key
    told = run_job(instance, "clinic_daily", partition=clinic_partition(key, DAY - timedelta(days=5)))
    failed = instance.get_run_by_id(told.run_id)
    assert failed is not None
    assert not auto_reexecution_should_retry_run(instance, failed, RunFailureReason.STEP_FAILURE)
    crashed = instance.create_run_for_job(build_defs(load_settings).resolve_job_def("health_checks"), status="STARTED")
    instance.report_run_failed(crashed)
    found = instance.get_run_by_id(crashed.run_id)
    assert found is not None
    assert auto_reexecution_should_retry_run(instance, found, RunFailureReason.RUN_EXCEPTION)
    assert instance.run_retries_max_retries == 2


def test_a_clinic_that_connects_later_needs_no_reload_and_one_that_leaves_keeps_its_history(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, connected: Connected
) -> None:
    before = {clinic.clinic_key for clinic in connected.store.clinics.all()}
    new = connected.connect(list(connected.sandbox.clinics)[2])
    assert new not in before
    sensor = repository.get_sensor_def("connected_clinics_sensor")
    with dg.build_sensor_context(
        instance=instance, repository_def=repository, resources=make_resources(load_settings)
    ) as context:
        ticked = sensor.evaluate_tick(context)
    added = [key for request in ticked.dynamic_partitions_requests or () for key in request.partition_keys]
    assert new in added
    instance.add_dynamic_partitions("clinics", added)
    assert str(clinic_partition(new, DAY)) in asked(repository, instance, "clinic_daily_schedule", 0)
    connected.store.clinics.remove(connected.store.clinics.find(new))
    assert str(clinic_partition(new, DAY)) not in asked(repository, instance, "clinic_daily_schedule", 0)
    assert new in instance.get_dynamic_partitions("clinics")


def test_the_hourly_look_at_health_tells_a_dead_grant(instance: dg.DagsterInstance, connected: Connected) -> None:
    clinic = connected.store.clinics.all()[0]
    connected.store.clinics.mark_needs_connect(clinic, "the grant was revoked")
    told = run_job(instance, "health_checks")
    assert told.failures == ()
    records = instance.get_records_for_run(told.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    checks = {
        one.check_name: one for one in (record.event_log_entry.asset_check_evaluation for record in records) if one
    }
    connected.store.clinics.mark_ok(clinic)
    assert {name for name, one in checks.items() if not one.passed} >= {"tokens_are_healthy", "every_clinic_is_current"}
    assert f"connect {clinic.server}" in str(checks["tokens_are_healthy"].description)
    assert {"budget_is_enough", "nothing_in_quarantine"} <= {name for name, one in checks.items() if one.passed}
