"""`refresh`: one round of the webhook inbox and the event feeds, without the daemon.

What does not belong here: what it does (`cli.rounds`), so that `--help` does not wait for Dagster.
"""

from collections.abc import Sequence

import click

from fullscript_pipeline.cli import lazy_imports


@click.command(help="One round of the webhook inbox and the event feeds, with the runs it asks for.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help="Key or id; again for more. Default: all.")
def refresh(clinics: Sequence[str]) -> int:
    with lazy_imports.freeze_imports():  # Dagster, which help need not wait for
        from fullscript_pipeline.cli import refresh_runner  # noqa: PLC0415

    return refresh_runner.refresh(clinics)
