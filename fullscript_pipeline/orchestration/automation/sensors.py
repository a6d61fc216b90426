"""Sensors: thin around plain functions. They poll and request runs, and never open DuckDB.

Each tick reports what it read and which runs it requested. What does not belong here: what events mean (`refresh`).
"""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.orchestration.automation.closed_backfills import closed_backfills_sensor
from fullscript_pipeline.orchestration.automation.event_alerts import event_notices_sensor
from fullscript_pipeline.orchestration.automation.event_sensors import event_reconcile_sensor, webhook_inbox_sensor
from fullscript_pipeline.orchestration.automation.failed_pull_sensor import pages_after_a_failed_pull_sensor
from fullscript_pipeline.orchestration.automation.failure_alerts import (
    tell_of_failures_sensor,
    tell_of_recoveries_sensor,
)
from fullscript_pipeline.orchestration.automation.jobs import catalog_daily, clinic_daily, clinic_refresh
from fullscript_pipeline.orchestration.automation.lake_upkeep_job import lake_upkeep_sensor
from fullscript_pipeline.orchestration.automation.portal_requests import portal_requests_sensor
from fullscript_pipeline.orchestration.automation.refresh_requests import has_queued_refresh, requests_for
from fullscript_pipeline.orchestration.runtime import (
    FullscriptResource,
    StateResource,
    clinics,
    notice_targets,
    old_runs_sensor,
    orphaned_runs_sensor,
    send_change_notices,
)
from fullscript_pipeline.plural import counted
from fullscript_pipeline.refresh import (
    RefreshRequest,
    choose_lab_polls,
    has_been_pulled,
    poll_feeds,
    poll_labs,
    poll_seconds,
    polled_feeds,
)
from fullscript_pipeline.state import Clinic, StateStore

# Dagster ends a sensor after 60 s.
TIME_BUDGET_SECONDS = 40
PARALLEL_POLLS = 4
EARLY_SECONDS = 3.0
# So long after an event the next ones are looked for sooner: an order follows a plan, a second order the first.
EVENTS_FLOW_SECONDS = 120.0
LONGEST_WAIT_SECONDS = 4 * 3600.0


@dg.sensor(
    name="connected_clinics_sensor",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Adds partitions for every newly connected clinic. A disconnected clinic keeps its partitions.",
)
def connected_clinics_sensor(
    context: dg.SensorEvaluationContext, state: StateResource
) -> dg.SensorResult | dg.SkipReason:
    known = set(context.instance.get_dynamic_partitions("clinics"))
    with state.open() as store:
        new = [clinic.clinic_key for clinic in store.clinics.all() if clinic.clinic_key not in known]
    if not new:
        return dg.SkipReason(f"{counted(len(known), 'clinic')} known, none new.")
    return dg.SensorResult(dynamic_partitions_requests=[clinics.build_add_request(new)])


@dg.sensor(
    name="clinic_events_sensor",
    jobs=[clinic_refresh, clinic_daily, catalog_daily],
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Polls each clinic's event feeds, and requests a refresh of the objects that changed: every 15 seconds, every "
        "5 for two minutes after an event, less often with many clinics, so that polling takes at most a tenth of the "
        "request budget."
    ),
)
def clinic_events_sensor(
    context: dg.SensorEvaluationContext, fullscript: FullscriptResource
) -> dg.SensorResult | dg.SkipReason:
    place = json.loads(context.cursor or "{}")
    if wait := _seconds_until_due(place.get("next")):
        return dg.SkipReason(f"The next poll is in {wait:.0f} s.")
    with fullscript.state.open() as store:
        return _poll_clinics(context, fullscript, store, place)


def _poll_clinics(
    context: dg.SensorEvaluationContext, fullscript: FullscriptResource, store: StateStore, place: dict[str, str]
) -> dg.SensorResult | dg.SkipReason:
    """`place`: the cursor of the former round (`next`, `first`, `latest_event`)."""
    first = place.get("first", "")
    started, healthy = time.monotonic(), [clinic for clinic in store.clinics.all() if clinic.status == "ok"]
    # A round that ran out of time ended before `first`: stable sorting puts the clinics from there on in front.
    ordered = sorted(healthy, key=lambda clinic: clinic.clinic_key < first)
    feeds = sum(len(polled_feeds(store, clinic)) for clinic in healthy)
    lab_polls = choose_lab_polls(store, [clinic for clinic in healthy if has_been_pulled(store, clinic)], feeds)

    def poll_clinic(clinic: Clinic) -> RefreshRequest | str | None:
        if time.monotonic() - started > TIME_BUDGET_SECONDS:
            return ""
        return _poll_clinic(fullscript, store, clinic, polls_labs=clinic.clinic_key in lab_polls)

    with ThreadPoolExecutor(PARALLEL_POLLS) as pool:
        polled = list(zip(ordered, pool.map(poll_clinic, ordered), strict=True))
    left = [clinic.clinic_key for clinic, outcome in polled if outcome == ""]
    found = any(isinstance(outcome, RefreshRequest) for _, outcome in polled)
    latest_event = clock.real_now().isoformat() if found else place.get("latest_event", "")
    requests_a_round = feeds + sum(lab_polls.values())
    wait = 0.0 if left else poll_seconds(1, requests_a_round, events_flow=_is_recent(latest_event))
    begin = clock.real_now() + timedelta(seconds=wait - (time.monotonic() - started))
    cursor = {"next": begin.isoformat(), "first": left[0] if left else "", "latest_event": latest_event}
    context.update_cursor(json.dumps(cursor))
    day = clock.today(fullscript.settings.read().time_zone)
    requests, messages = _run_requests(context, store, polled, day)
    looked = f"{counted(len(polled) - len(left), 'clinic')} ({counted(feeds, 'feed')})"
    head = f"Polled {looked} in {time.monotonic() - started:.1f} s"
    sentence = f"{head}: {'; '.join(messages)}." if messages else f"{head}: nothing new."
    if not requests:
        return dg.SkipReason(sentence)
    context.log.info(sentence)
    return dg.SensorResult(run_requests=requests)


def _poll_clinic(
    fullscript: FullscriptResource, store: StateStore, clinic: Clinic, *, polls_labs: bool
) -> RefreshRequest | str | None:
    """Returns what a refresh has to fetch (None: nothing), or why the poll failed."""
    try:
        with fullscript.session_in(store, clinic) as session:
            events = poll_feeds(session, store)
            moved_labs = poll_labs(session, store) if polls_labs else 0
    except PipelineError as error:
        return str(error)
    if not moved_labs:
        return events
    return replace(events or RefreshRequest(clinic_key=clinic.clinic_key, event_ids=()), moved_labs=moved_labs)


def _run_requests(
    context: dg.SensorEvaluationContext,
    store: StateStore,
    polled: Sequence[tuple[Clinic, RefreshRequest | str | None]],
    day: date,
) -> tuple[list[dg.RunRequest], list[str]]:
    """The runs to request, and a message per clinic."""
    requests, messages = [], []
    for clinic, outcome in polled:
        if isinstance(outcome, RefreshRequest) and has_queued_refresh(context.instance, clinic.clinic_key):
            messages.append(
                f"{clinic.clinic_key}: {counted(len(outcome.event_ids), 'event')} waiting, a refresh is queued already"
            )
        elif isinstance(outcome, RefreshRequest):
            clinic_requests = list(requests_for(store, clinic, outcome, day))
            requests += clinic_requests
            messages.append(f"{clinic.clinic_key}: {_describe_round(outcome)}, requested {_job_names(clinic_requests)}")
        if trouble := outcome.error if isinstance(outcome, RefreshRequest) else outcome:
            messages.append(f"{clinic.clinic_key}: {trouble}")
    return requests, messages


def _describe_round(events: RefreshRequest) -> str:
    labs = [f"{counted(events.moved_labs, 'lab order')} moved"] if events.moved_labs else []
    return " and ".join([counted(len(events.event_ids), "event"), *labs])


def _job_names(requests: Sequence[dg.RunRequest]) -> str:
    return " and ".join(str(request.job_name) for request in requests)


def _seconds_until_due(moment: str | None) -> float:
    """Seconds until the next poll is due; 0 for a tick that is only a little early."""
    left = (datetime.fromisoformat(moment) - clock.real_now()).total_seconds() if moment else 0.0
    # A longer wait than any that was set: the clock was set back since.
    return left if EARLY_SECONDS < left < LONGEST_WAIT_SECONDS else 0.0


def _is_recent(moment: str) -> bool:
    """Whether events flow: the last one was found a short time ago."""
    return bool(moment) and clock.real_now() - datetime.fromisoformat(moment) < timedelta(seconds=EVENTS_FLOW_SECONDS)


@dg.sensor(
    name="change_notices_sensor",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Sends what a catalog digest lists to FULLSCRIPT_ON_CHANGE_COMMAND or FULLSCRIPT_ON_CHANGE_URL again, until it "
        "is received: after 1, 5 and 30 minutes, then every hour."
    ),
)
def change_notices_sensor(context: dg.SensorEvaluationContext, state: StateResource) -> dg.SkipReason:
    settings = state.settings.read()
    if not notice_targets(settings):
        return dg.SkipReason("Neither FULLSCRIPT_ON_CHANGE_COMMAND nor FULLSCRIPT_ON_CHANGE_URL is set.")
    with state.open() as store:
        sentences = send_change_notices(settings, store)
    return dg.SkipReason(" ".join(sentences) or "No message about a catalog digest is due.")


ALL_SENSORS = (
    orphaned_runs_sensor,
    old_runs_sensor,
    lake_upkeep_sensor,
    closed_backfills_sensor,
    connected_clinics_sensor,
    clinic_events_sensor,
    webhook_inbox_sensor,
    event_reconcile_sensor,
    pages_after_a_failed_pull_sensor,
    tell_of_failures_sensor,
    tell_of_recoveries_sensor,
    event_notices_sensor,
    change_notices_sensor,
    portal_requests_sensor,
)
