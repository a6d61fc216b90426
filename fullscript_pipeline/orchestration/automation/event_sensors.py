"""The sensors beside the feeds: the webhook inbox, and the hourly reconcile. Thin, without DuckDB, like the others.

What does not belong here: the sensor of the feeds (`sensors`), what a refresh reads (`refresh`).
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.orchestration.automation.jobs import catalog_daily, clinic_daily, clinic_refresh, clinic_sweep
from fullscript_pipeline.orchestration.automation.refresh_requests import has_queued_refresh, requests_for
from fullscript_pipeline.orchestration.runtime import FullscriptResource, StateResource
from fullscript_pipeline.plural import counted
from fullscript_pipeline.refresh import (
    ReconcileResult,
    has_been_pulled,
    ingest_inbox,
    is_reconcile_due,
    pending_resync_span,
    reconcile,
    request_for_due_events,
)
from fullscript_pipeline.state import StateStore

# Dagster ends a sensor after 60 s.
TIME_BUDGET_SECONDS = 40


@dg.sensor(
    name="webhook_inbox_sensor",
    jobs=[clinic_refresh, clinic_daily, catalog_daily],
    # The daemon looks at each delivery, and every five seconds.
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reads the deliveries that the webhook receiver has stored, and requests a refresh of their objects.",
)
def webhook_inbox_sensor(context: dg.SensorEvaluationContext, state: StateResource) -> dg.SensorResult | dg.SkipReason:
    requests, messages, day = [], [], clock.today(state.settings.read().time_zone)
    with state.open() as store:
        drained = ingest_inbox(store)
        for key, clinic in drained.clinics.items():
            if not has_been_pulled(store, clinic):
                messages.append(f"{key}: waits for its first daily pull")
            elif has_queued_refresh(context.instance, key):
                messages.append(f"{key}: a refresh is queued already")
            elif pending := request_for_due_events(store, clinic):
                requests += list(requests_for(store, clinic, pending, day))
                messages.append(f"{key}: {counted(len(pending.event_ids), 'event')}, requested a refresh")
        messages += [f"{number} could not be handled ({reason})" for reason, number in drained.failed.items()]
    if not requests:
        return dg.SkipReason("; ".join(messages) or "The webhook inbox is empty.")
    context.log.info(f"{counted(drained.recorded, 'new event')} in the inbox. {'; '.join(messages)}.")
    return dg.SensorResult(run_requests=requests)


@dg.sensor(
    name="event_reconcile_sensor",
    jobs=[clinic_refresh, clinic_daily, catalog_daily, clinic_sweep],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Every hour, compares each clinic's event feeds and the vendor's list of webhook deliveries with the known "
        "events, and requests a refresh of what was missed. Requests a full re-sync for days that no feed reaches."
    ),
)
def event_reconcile_sensor(
    context: dg.SensorEvaluationContext, fullscript: FullscriptResource
) -> dg.SensorResult | dg.SkipReason:
    started, outcome = time.monotonic(), _Outcome()
    day = clock.today(fullscript.settings.read().time_zone)
    with fullscript.state.open() as store:
        for clinic in store.clinics.all():
            if clinic.status != "ok" or not is_reconcile_due(store, clinic):
                continue
            if time.monotonic() - started > TIME_BUDGET_SECONDS:
                outcome.messages.append("the other clinics follow in a minute")
                break
            try:
                with fullscript.session_in(store, clinic) as session:
                    reconciled = reconcile(session, store)
            except PipelineError as error:
                outcome.messages.append(f"{clinic.clinic_key}: {error}")
                continue
            if reconciled is not None:
                outcome.add(clinic, reconciled)
                outcome.requests += _refreshes(context.instance, store, clinic, day)
                outcome.add_resync(store, clinic)
    if not outcome.messages:
        return dg.SkipReason("No clinic is due; each is reconciled every hour.")
    messages = "; ".join(outcome.messages)
    context.log.info(messages)
    # Dagster shows a sentence of its own for a result without runs unless it is given one.
    return dg.SensorResult(
        run_requests=outcome.requests,
        asset_events=outcome.observations,
        skip_reason=None if outcome.requests else f"{messages}.",
    )


@dataclass(kw_only=True)
class _Outcome:
    """What a tick of the hourly reconcile yields."""

    requests: list[dg.RunRequest] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    observations: list[dg.AssetObservation] = field(default_factory=list)

    def add(self, clinic: ClinicRef, reconciled: ReconcileResult) -> None:
        counts = f"{reconciled.missing} missed, {reconciled.deliveries} webhooks attempted"
        self.messages.append(f"{clinic.clinic_key}: {counts}")
        self.observations.append(_reconcile_observation(clinic, reconciled))

    def add_resync(self, store: StateStore, clinic: ClinicRef) -> None:
        """Requests a full re-sync if there are days that no feed reaches."""
        if span := pending_resync_span(store, clinic):
            reason = f"no feed reaches back to {span} any more, requested a full re-sync"
            self.messages.append(f"{clinic.clinic_key}: {reason}")
            self.requests.append(sweep_request(clinic, span))


def _refreshes(
    instance: dg.DagsterInstance, store: StateStore, clinic: ClinicRef, day: date
) -> Iterable[dg.RunRequest]:
    """The runs that refresh the objects of due events, unless one is queued."""
    pending = request_for_due_events(store, clinic)
    if pending is None or has_queued_refresh(instance, clinic.clinic_key):
        return ()
    return requests_for(store, clinic, pending, day)


def sweep_request(clinic: ClinicRef, span: str) -> dg.RunRequest:
    """Everything of a clinic again; one run per lost span."""
    config = {"ops": {"sweep_clinic": {"config": {"clinic": clinic.clinic_key}}}}
    return dg.RunRequest(
        job_name="clinic_sweep",
        run_key=f"sweep-{clinic.clinic_key}-{span}",
        run_config=config,
        tags={"fullscript/clinic": clinic.clinic_key},
    )


def _reconcile_observation(clinic: ClinicRef, reconciled: ReconcileResult) -> dg.AssetObservation:
    return dg.AssetObservation(
        asset_key=["core", "events"],
        metadata={
            "clinic": clinic.clinic_key,
            "missed_in_feeds": reconciled.missing_in_feeds,
            "missed_deliveries": reconciled.missing_deliveries,
            "webhooks_attempted": reconciled.deliveries,
            "webhooks_delivered": reconciled.delivered,
        },
    )
