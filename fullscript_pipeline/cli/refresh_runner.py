"""What `refresh` does: handles the webhook inbox, polls the event feeds once, and runs the refreshes.

What does not belong here: the options (`cli.refresh`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial

from fullscript_pipeline import clock
from fullscript_pipeline.api import AuthError, ClinicSession, FullscriptError, open_session
from fullscript_pipeline.cli.clinic_selection import select_clinics
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.cli.run_partitions import PlannedRun, execute_runs
from fullscript_pipeline.errors import NeedsConnect, PipelineError
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.orchestration.automation import run_config, sweep_request
from fullscript_pipeline.orchestration.runtime import (
    add_clinic_partitions,
    clinic_partition,
    open_instance,
    region_partition,
    remove_old_runs,
)
from fullscript_pipeline.plural import counted
from fullscript_pipeline.refresh import (
    RefreshRequest,
    has_been_pulled,
    ingest_inbox,
    is_reconcile_due,
    mark_run_requested,
    pending_resync_span,
    poll_feeds,
    poll_labs,
    reconcile,
    request_for_due_events,
)
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, StateStore


def refresh(settings: Settings, clinics: Sequence[str]) -> int:
    """Polls these clinics (none named: all), and executes the refreshes. Returns the exit code."""
    settings.prepare_data_dir()
    runs: list[PlannedRun] = []
    code = 0
    with StateStore.open(settings) as store:
        chosen = select_clinics(store, clinics)
        for reason, number in ingest_inbox(store).failed.items():
            print_message(f"webhook inbox: {counted(number, 'delivery', 'deliveries')} could not be handled. {reason}")
        for clinic in chosen:
            try:
                due, trouble = _collect_due_events(settings, store, clinic)
                if due is not None or trouble is None:
                    runs += _plan_runs(settings, store, clinic, due)
                if trouble is not None:
                    raise trouble
            except PipelineError as error:
                print_message(f"{clinic.clinic_key}: {error}")
                code = NeedsConnect.exit_code if NeedsConnect.exit_code in {code, error.exit_code} else error.exit_code
        instance = open_instance(settings)
        add_clinic_partitions(instance, store)
    warehouse = open_warehouse(settings)
    run_code, outcomes = execute_runs(instance, runs, partial(warehouse.tidy, only_if_due=True))
    remove_old_runs(instance, settings.keep_runs_days)
    if rows := [[run.label, _count_events(run), outcome.run_id] for run, outcome in outcomes]:
        print_data(format_columns(["clinic", "events", "run"], rows))
    return NeedsConnect.exit_code if NeedsConnect.exit_code in {code, run_code} else code or run_code


def _collect_due_events(
    settings: Settings, store: StateStore, clinic: Clinic
) -> tuple[RefreshRequest | None, FullscriptError | None]:
    """Polls the feeds, and reconciles if that is due. Returns the due events, and the last error of a poll.

    A feed that fails does not stop the others.
    """
    trouble: FullscriptError | None = None
    with open_session(settings, store, clinic) as session:
        for poll in (_poll_event_feeds, _reconcile_if_due, _poll_labs):
            try:
                trouble = poll(session, store) or trouble
            except AuthError:
                raise
            except FullscriptError as error:
                trouble = error
    due = request_for_due_events(store, clinic, include_requested=True)
    return due or (
        RefreshRequest(clinic_key=clinic.clinic_key, event_ids=()) if store.labs.moved(clinic) else None
    ), trouble


def _poll_event_feeds(session: ClinicSession, store: StateStore) -> FullscriptError | None:
    polled = poll_feeds(session, store, include_requested=True)
    return polled.error if polled else None


def _reconcile_if_due(session: ClinicSession, store: StateStore) -> None:
    reconciled = reconcile(session, store) if is_reconcile_due(store, session.clinic) else None
    if reconciled is not None and reconciled.missing:
        print_message(f"{session.clinic.clinic_key}: {counted(reconciled.missing, 'missed event')}.")


def _poll_labs(session: ClinicSession, store: StateStore) -> None:
    if moved := poll_labs(session, store):
        print_message(f"{session.clinic.clinic_key}: {counted(moved, 'lab order')} changed without an event.")


def _plan_runs(settings: Settings, store: StateStore, clinic: Clinic, due: RefreshRequest | None) -> list[PlannedRun]:
    tags = {"fullscript/clinic": clinic.clinic_key}
    runs: list[PlannedRun] = []
    if not has_been_pulled(store, clinic):
        print_message(
            f"{clinic.clinic_key}: not pulled yet; run `fullscript-pipeline pull` first. Events are handled from then "
            "on."
        )
    elif due is None:
        print_message(f"{clinic.clinic_key}: nothing new.")
    else:
        mark_run_requested(store, clinic, due)
        runs += _runs_for(due, clinic, clock.today(settings.time_zone), tags)
    if span := pending_resync_span(store, clinic):
        print_message(f"{clinic.clinic_key}: the event feeds no longer reach back to {span}; everything is read again.")
        config = sweep_request(clinic, span).run_config
        runs.append(PlannedRun(label=f"{clinic.clinic_key} sweep", job="clinic_sweep", run_config=config, tags=tags))
    return runs


def _runs_for(due: RefreshRequest, clinic: Clinic, day: date, tags: Mapping[str, str]) -> Iterator[PlannedRun]:
    """Yields the runs that handle the due events: of the catalog if needed, then of the clinic."""
    label = f"{clinic.clinic_key} refresh"
    if due.needs_catalog_pull:
        partition = region_partition(clinic.region, day)
        region = {"fullscript/region": clinic.region}
        yield PlannedRun(label=f"catalog {clinic.region}", job="catalog_daily", partition=partition, tags=region)
    if due.needs_full_pull:
        partition = clinic_partition(clinic.clinic_key, day)
        yield PlannedRun(label=label, job="clinic_daily", partition=partition, tags=tags)
    else:
        yield PlannedRun(label=label, job="clinic_refresh", run_config=run_config(due), tags=tags)


def _count_events(run: PlannedRun) -> int | str:
    config = (run.run_config or {}).get("ops", {}).get("refresh_touched", {}).get("config", {})
    return len(config["event_ids"]) if config else "everything"
