"""`report`: adherence rows and pages again, and the dosage texts that could not be read; all from the warehouse.

What does not belong here: what they do (`cli.pages`, `cli.dosages`), so that `--help` waits for nothing big.
"""

from collections.abc import Sequence
from datetime import date

import click

from fullscript_pipeline.cli import lazy_imports
from fullscript_pipeline.cli.options import DAY


@click.group(help="Rebuild reports from the warehouse; nothing is asked of Fullscript.")
def report() -> None:
    pass


@report.command("adherence", help="The adherence rows and pages of every clinic, as of the end of a day.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help="Key or id; again for more. Default: all.")
@click.option(
    "--as-of", type=DAY, help="Through the end of this day; an earlier one gets a folder of its own. Default: today."
)
def adherence(clinics: Sequence[str], as_of: date | None) -> int:
    with lazy_imports.freeze_imports():  # Dagster, which help need not wait for
        from fullscript_pipeline.cli.page_rebuild import write_pages  # noqa: PLC0415

    return write_pages(clinics, as_of)


@report.command("dosages", help="Why dosage texts of active plans could not be read, most frequent reason first.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help="Key or id; again for more. Default: all.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many texts to list.")
def dosages(clinics: Sequence[str], limit: int) -> int:
    with lazy_imports.freeze_imports():
        from fullscript_pipeline.cli.dosages import list_dosages  # noqa: PLC0415

    return list_dosages(clinics, limit)
