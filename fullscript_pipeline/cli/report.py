"""`report`: adherence rows and pages again, and the dosage texts that could not be read; all from the warehouse."""

from collections.abc import Sequence
from datetime import date

import click

from fullscript_pipeline.adherence.unread import UnreadDosage, unread_dosages
from fullscript_pipeline.cli import importing
from fullscript_pipeline.cli.chosen import chosen_clinics
from fullscript_pipeline.cli.options import DAY
from fullscript_pipeline.cli.say import data, table, talk
from fullscript_pipeline.orchestration.opened import open_warehouse
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore


@click.group(help="Rebuild reports from the warehouse; nothing is asked of Fullscript.")
def report() -> None:
    pass


@report.command("adherence", help="The adherence rows and pages of every clinic, as of the end of a day.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help="Key or id; again for more. Default: all.")
@click.option(
    "--as-of", type=DAY, help="Through the end of this day; an earlier one gets a folder of its own. Default: today."
)
def adherence(clinics: Sequence[str], as_of: date | None) -> int:
    with importing.for_good():  # Dagster, which help need not wait for
        from fullscript_pipeline.cli.pages import write_pages  # noqa: PLC0415

    return write_pages(clinics, as_of)


@report.command("dosages", help="Dosage texts of active plans that could not be read, most frequent first.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help="Key or id; again for more. Default: all.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many texts to list.")
def dosages(clinics: Sequence[str], limit: int) -> int:
    settings = load_settings()
    settings.prepare_data_dir()
    with StateStore(settings.state_path, settings.encryption_key) as store:
        chosen = chosen_clinics(store, clinics)
    with open_warehouse().read() as con:
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
