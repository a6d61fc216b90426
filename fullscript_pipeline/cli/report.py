"""`report`: adherence rows and pages again, dosage texts that could not be read, patients set aside from a call list.

What does not belong here: what they do (`cli.pages`, `cli.dosages`), so that `--help` waits for nothing big.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import click

from fullscript_pipeline.cli import lazy_imports
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.options import CLINICS_HELP, DAY

if TYPE_CHECKING:
    from fullscript_pipeline.settings import Settings


@click.group(help="Rebuild reports from the warehouse. Sends no request to Fullscript.")
def report() -> None:
    pass


@report.command("adherence", help="Rebuild the adherence rows and pages of clinics, as of the end of a day.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help=CLINICS_HELP)
@click.option(
    "--as-of",
    type=DAY,
    help="As of the end of this day. Default: today. Pages of an earlier day are written to a separate folder.",
)
@with_settings
def adherence(settings: "Settings", clinics: Sequence[str], as_of: date | None) -> int:
    with lazy_imports.freeze_imports():  # Dagster: help does not need it
        from fullscript_pipeline.cli.page_rebuild import write_pages  # noqa: PLC0415

    return write_pages(settings, clinics, as_of)


@report.command(
    "dosages",
    help="List the dosage texts of active plans that could not be parsed, grouped by reason, the most frequent reason "
    "first.",
)
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help=CLINICS_HELP)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many reasons to list.")
@with_settings
def dosages(settings: "Settings", clinics: Sequence[str], limit: int) -> int:
    with lazy_imports.freeze_imports():
        from fullscript_pipeline.cli.dosages import list_dosages  # noqa: PLC0415

    return list_dosages(settings, clinics, limit)


@report.command(
    "snooze",
    help="Take a patient off the clinic's call list until a day: CLINIC by key or id, PATIENT by Fullscript's id.",
)
@click.argument("clinic", required=False)
@click.argument("patient", required=False)
@click.option("--until", type=DAY, help="The day on which the patient is on the list again.")
@click.option("--note", help="Why, for the clinic's own page; at most 300 characters.")
@click.option("--list", "lists", is_flag=True, help="List the snoozes of CLINIC (default: of all clinics), with notes.")
@click.option("--remove", "removes", is_flag=True, help="Put the patient back on the list now.")
@with_settings
def snooze(
    settings: "Settings",
    clinic: str | None,
    patient: str | None,
    until: date | None,
    note: str | None,
    lists: bool,
    removes: bool,
) -> int:
    with lazy_imports.freeze_imports():
        from fullscript_pipeline.cli.snooze import list_snoozes, remove_snooze, snooze_patient  # noqa: PLC0415

    if lists and not (patient or until or note or removes):
        return list_snoozes(settings, [clinic] if clinic else [])
    if clinic and patient and removes and not (until or note or lists):
        return remove_snooze(settings, clinic, patient)
    if clinic and patient and until and not (removes or lists):
        return snooze_patient(settings, clinic, patient_id=patient, until=until, note=note)
    raise click.UsageError("Give CLINIC PATIENT with --until DAY or with --remove; or --list, with or without CLINIC.")
