"""`refresh`: one round of the webhook inbox and the event feeds, without the daemon.

What does not belong here: what it does (`cli.rounds`), so that `--help` does not wait for Dagster.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from fullscript_pipeline.cli import lazy_imports
from fullscript_pipeline.cli.command_settings import with_settings

if TYPE_CHECKING:
    from fullscript_pipeline.settings import Settings


@click.command(help="One round of the webhook inbox and the event feeds, with the runs it asks for.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help="Key or id; again for more. Default: all.")
@with_settings
def refresh(settings: "Settings", clinics: Sequence[str]) -> int:
    with lazy_imports.freeze_imports():  # Dagster, which help need not wait for
        from fullscript_pipeline.cli import refresh_runner  # noqa: PLC0415

    return refresh_runner.refresh(settings, clinics)
