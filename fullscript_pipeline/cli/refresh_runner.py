"""What `refresh` does: one round of the webhook inbox and the event feeds, with the runs it asks for; as the daemon.

What does not belong here: the options (`cli.refresh`).
"""

from collections.abc import Sequence

from fullscript_pipeline import clock
from fullscript_pipeline.api import AuthError, ClinicSession, FullscriptError, open_session
from fullscript_pipeline.cli.clinic_selection import chosen_clinics
from fullscript_pipeline.cli.console import data, table, talk
from fullscript_pipeline.cli.run_partitions import Cell, run_cells
from fullscript_pipeline.errors import NeedsConnect, PipelineError
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.orchestration.automation import run_config, sweep_request
from fullscript_pipeline.orchestration.runtime import add_clinic_partitions, clinic_cell, open_instance, region_cell
from fullscript_pipeline.plural import counted
from fullscript_pipeline.refresh import (
    Round,
    asked,
    drain,
    is_due,
    poll_feeds,
    poll_labs,
    reconcile,
    sweep_wanted,
    waiting,
    was_pulled,
)
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import Clinic, StateStore


def refresh(clinics: Sequence[str]) -> int:
    """A round of these clinics (none named: all), and its runs to their end. Returns the exit code."""
    settings = load_settings()
    settings.prepare_data_dir()
    cells: list[Cell] = []
    code = 0
    with StateStore(settings.state_path, settings.encryption_key) as store:
        chosen = chosen_clinics(store, clinics)
        for reason, number in drain(store).failed.items():
            talk(f"webhook inbox: {number} could not be used. {reason}")
        for clinic in chosen:
            try:
                found, trouble = _what_waits(settings, store, clinic)
                if found is not None or trouble is None:
                    cells += _cells(settings, store, clinic, found)
                if trouble is not None:
                    raise trouble
            except PipelineError as error:
                talk(f"{clinic.clinic_key}: {error}")
                code = NeedsConnect.exit_code if NeedsConnect.exit_code in {code, error.exit_code} else error.exit_code
        instance = open_instance(settings)
        add_clinic_partitions(instance, store)
    open_warehouse()
    run_code, outcomes = run_cells(instance, cells)
    if rows := [[cell.label, _events(cell), outcome.run_id] for cell, outcome in outcomes]:
        data(table(["clinic", "events", "run"], rows))
    return NeedsConnect.exit_code if NeedsConnect.exit_code in {code, run_code} else code or run_code


def _what_waits(settings: Settings, store: StateStore, clinic: Clinic) -> tuple[Round | None, FullscriptError | None]:
    """What is to be handled after a look, and the hourly comparison if nobody has made it; and what went wrong there:
    one feed that fails does not keep the others back."""
    trouble: FullscriptError | None = None
    with open_session(settings, store, clinic) as session:
        for ask in (_look, _reconcile, _poll):
            try:
                trouble = ask(session, store) or trouble
            except AuthError:
                raise
            except FullscriptError as error:
                trouble = error
    found = waiting(store, clinic, asked_too=True)
    return found or (Round(clinic.clinic_key, ()) if store.moved_labs(clinic) else None), trouble


def _look(session: ClinicSession, store: StateStore) -> FullscriptError | None:
    found = poll_feeds(session, store, asked_too=True)
    return found.trouble if found else None


def _reconcile(session: ClinicSession, store: StateStore) -> None:
    found = reconcile(session, store) if is_due(store, session.clinic) else None
    if found is not None and found.missing:
        talk(f"{session.clinic.clinic_key}: {counted(found.missing, 'missed event')}.")


def _poll(session: ClinicSession, store: StateStore) -> None:
    if moved := poll_labs(session, store):
        talk(f"{session.clinic.clinic_key}: {counted(moved, 'lab order')} moved on without an event.")


def _cells(settings: Settings, store: StateStore, clinic: Clinic, found: Round | None) -> list[Cell]:
    tags, label = {"fullscript/clinic": clinic.clinic_key}, f"{clinic.clinic_key} refresh"
    cells = []
    if not was_pulled(store, clinic):
        talk(f"{clinic.clinic_key}: not pulled yet; run `fullscript-pipeline pull` first, events count from then on.")
    elif found is None:
        talk(f"{clinic.clinic_key}: nothing new.")
    else:
        asked(store, clinic, found)
        day = clock.today(settings.time_zone)
        if found.catalog:
            region = {"fullscript/region": clinic.region}
            cells.append(
                Cell(f"catalog {clinic.region}", "catalog_daily", region_cell(clinic.region, day), tags=region)
            )
        if found.whole_cell:
            cells.append(Cell(label, "clinic_daily", clinic_cell(clinic.clinic_key, day), tags=tags))
        else:
            cells.append(Cell(label, "clinic_refresh", run_config=run_config(found), tags=tags))
    if span := sweep_wanted(store, clinic):
        talk(f"{clinic.clinic_key}: what happened from {span} is in no feed any more; everything is read again.")
        config = sweep_request(clinic, span).run_config
        cells.append(Cell(f"{clinic.clinic_key} sweep", "clinic_sweep", run_config=config, tags=tags))
    return cells


def _events(cell: Cell) -> int | str:
    config = (cell.run_config or {}).get("ops", {}).get("refresh_touched", {}).get("config", {})
    return len(config["event_ids"]) if config else "everything"
