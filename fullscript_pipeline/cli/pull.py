"""`pull`: runs the daily jobs without the daemon.

What does not belong here: what it does (`cli.pull_runner`), so that `--help` does not import Dagster.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import click

from fullscript_pipeline.cli import lazy_imports
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.options import CLINICS_HELP, DAY
from fullscript_pipeline.errors import UsageError

if TYPE_CHECKING:
    from fullscript_pipeline.settings import Settings


@click.command(help="Pull the catalog and the clinics for today, with the same assets as in the UI.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help=CLINICS_HELP)
@click.option("--day", type=DAY, help="Default: today. Past days work for orders only: other lists show the present.")
@click.option("--from", "first", type=DAY, help="First day of a range of orders.")
@click.option("--to", "last", type=DAY, help="Last day of a range of orders.")
@click.option("--only", multiple=True, metavar="RESOURCE", help="Only this table, such as orders. Repeatable.")
@click.option("--dry-run", is_flag=True, help="Estimate the requests, and print them with the reason. Sends none.")
@click.option(
    "--ask", "asks", is_flag=True, help="With --dry-run: request one small page of each list of unknown length."
)
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print one JSON object per line, the total last.")
@with_settings
def pull(
    settings: "Settings",
    clinics: Sequence[str],
    day: date | None,
    first: date | None,
    last: date | None,
    only: Sequence[str],
    dry_run: bool,
    asks: bool,
    as_json: bool,
) -> int:
    if (asks or as_json) and not dry_run:
        raise UsageError("--ask and --json go with --dry-run.")
    with lazy_imports.freeze_imports():  # Dagster: help and usage errors do not need it
        from fullscript_pipeline.cli import pull_runner  # noqa: PLC0415

    options = pull_runner.PullOptions(clinics=clinics, day=day, first=first, last=last, only=only)
    return (
        pull_runner.show_estimate(settings, options, counts_rows=asks, as_json=as_json)
        if dry_run
        else pull_runner.pull(settings, options)
    )
