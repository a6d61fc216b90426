"""`report`: adherence rows and pages again, and the dosage texts that could not be read; all from the warehouse."""

from collections.abc import Sequence
from datetime import date

import click

from fullscript_pipeline import clock
from fullscript_pipeline.adherence.unread import UnreadDosage, unread_dosages
from fullscript_pipeline.cli.options import DAY
from fullscript_pipeline.cli.running import Cell, run_cells
from fullscript_pipeline.cli.say import data, table, talk
from fullscript_pipeline.errors import Busy, ConfigurationError, NeedsConnect, UsageError
from fullscript_pipeline.orchestration.adherence import is_over
from fullscript_pipeline.orchestration.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.partitions import clinic_cell
from fullscript_pipeline.orchestration.resources import WarehouseResource
from fullscript_pipeline.orchestration.runs import Outcome
from fullscript_pipeline.orchestration.stale_pages import PAGES, PAST_PAGES, TAG, can_be_rewritten
from fullscript_pipeline.orchestration.steps import owner_and_day
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import Clinic, StateStore


@click.group(help="Rebuild reports from the warehouse; nothing is asked of Fullscript.")
def report() -> None:
    pass


@report.command("adherence", help="The adherence rows and pages of every clinic, as of the end of a day.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help="Key or id; again for more. Default: all.")
@click.option(
    "--as-of", type=DAY, help="Through the end of this day; an earlier one gets a folder of its own. Default: today."
)
def adherence(clinics: Sequence[str], as_of: date | None) -> int:
    settings = load_settings()
    settings.prepare_data_dir()
    today = clock.today(settings.time_zone)
    day = as_of or today
    if not settings.start_date <= day <= today:
        raise UsageError(f"--as-of {day} must lie between {settings.start_date} and today, {today}.")
    with StateStore(settings.state_path, settings.encryption_key) as store:
        chosen = _chosen(store, clinics)
        instance = open_instance(settings)
        add_clinic_partitions(instance, store)
    WarehouseResource().open()
    code, outcomes = run_cells(instance, [pages_cell(clinic.clinic_key, day) for clinic in chosen])
    for _, outcome in outcomes:
        if page := outcome.materialized.get("reports/adherence", {}).get("page"):
            data(str(page))
    return code


def pages_cell(clinic_key: str, day: date) -> Cell:
    """The run that makes a clinic's adherence rows and pages of a day again, without a pull."""
    return Cell(
        f"{clinic_key} {day} pages",
        "clinic_daily",
        clinic_cell(clinic_key, day),
        tags={"fullscript/clinic": clinic_key, TAG: "yes"},
        assets=PAST_PAGES if is_over(day) else PAGES,
    )


def pages_after(outcomes: Sequence[tuple[Cell, Outcome]]) -> list[Cell]:
    """A run of rows and pages for each clinic whose day failed before its pages: they say how old their data is."""
    hopeless = {Busy.exit_code, ConfigurationError.exit_code}
    failed = [
        owner_and_day(cell.partition)
        for cell, outcome in outcomes
        if cell.job == "clinic_daily"
        and cell.assets is None
        and cell.partition
        and outcome.failures
        and "reports/adherence" not in outcome.materialized
        and not hopeless & {failure.exit_code for failure in outcome.failures}
    ]
    return [pages_cell(clinic_key, day) for clinic_key, day in failed if can_be_rewritten(clinic_key, day)]


@report.command("dosages", help="Dosage texts of active plans that could not be read, most frequent first.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help="Key or id; again for more. Default: all.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many texts to list.")
def dosages(clinics: Sequence[str], limit: int) -> int:
    settings = load_settings()
    settings.prepare_data_dir()
    with StateStore(settings.state_path, settings.encryption_key) as store:
        chosen = _chosen(store, clinics)
    with WarehouseResource().open().read() as con:
        found = unread_dosages(con, [clinic.clinic_id for clinic in chosen])
    if not found:
        talk("Every dosage text of the active plans that the warehouse holds could be read.")
        return 0
    data(table(["lines", "not read", "text", "why"], [_unread(one) for one in found[:limit]]))
    lines = sum(one.lines for one in found)
    talk(f"{len(found):,} texts on {lines:,} recommendations of active plans; {min(limit, len(found)):,} shown.")
    return 0


def _unread(one: UnreadDosage) -> tuple[object, ...]:
    parts = (one.amount, one.format, one.frequency, one.duration, one.additional_info)
    # Free text may hold line ends and control characters; a terminal gets neither.
    plain = (" ".join("".join(char if char.isprintable() else " " for char in part or "").split()) for part in parts)
    text = " | ".join(part or "-" for part in plain)
    return one.lines, one.what, text if len(text) <= 100 else f"{text[:99]}…", one.reason


def _chosen(store: StateStore, named: Sequence[str]) -> list[Clinic]:
    chosen = [store.clinic(one) for one in dict.fromkeys(named)] if named else store.clinics()
    if not chosen:
        raise NeedsConnect("No clinic is connected; run `fullscript-pipeline connect ENV` first.")
    return chosen
