"""`refresh`: handles the webhook inbox and the event feeds once, without the daemon.

What does not belong here: what it does (`cli.refresh_runner`), so that `--help` does not import Dagster.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from fullscript_pipeline.cli import lazy_imports
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.options import CLINICS_HELP

if TYPE_CHECKING:
    from fullscript_pipeline.settings import Settings


@click.command(help="Read the webhook inbox and the event feeds once, and fetch the objects that new events point at.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help=CLINICS_HELP)
@with_settings
def refresh(settings: "Settings", clinics: Sequence[str]) -> int:
    with lazy_imports.freeze_imports():  # Dagster: help does not need it
        from fullscript_pipeline.cli import refresh_runner  # noqa: PLC0415

    return refresh_runner.refresh(settings, clinics)
