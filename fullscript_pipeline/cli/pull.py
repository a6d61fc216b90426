"""`pull`: the daily jobs, without the daemon.

What does not belong here: what it does (`cli.pulling`), so that `--help` does not wait for Dagster.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import click

from fullscript_pipeline.cli import lazy_imports
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.options import DAY
from fullscript_pipeline.errors import UsageError

if TYPE_CHECKING:
    from fullscript_pipeline.settings import Settings


@click.command(help="Pull the catalog and the clinics for today: the same assets as in the UI.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help="Key or id; again for more. Default: all.")
@click.option("--day", type=DAY, help="Default today. Lists show the present, so only orders can be of the past.")
@click.option("--from", "first", type=DAY, help="First day of a range of orders.")
@click.option("--to", "last", type=DAY, help="Last day of a range of orders.")
@click.option("--only", multiple=True, metavar="RESOURCE", help="A table, such as orders; again for more.")
@click.option("--dry-run", is_flag=True, help="Print the bill: the requests it would make, and why. Asks nothing.")
@click.option("--ask", "asks", is_flag=True, help="With --dry-run: ask one small page of each list of unknown length.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: one JSON object a line, the total last.")
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
        raise UsageError("--ask and --json belong to --dry-run.")
    with lazy_imports.freeze_imports():  # Dagster, which help and usage need not wait for
        from fullscript_pipeline.cli import pull_runner  # noqa: PLC0415

    options = pull_runner.PullOptions(clinics=clinics, day=day, first=first, last=last, only=only)
    return (
        pull_runner.show_estimate(settings, options, counts_rows=asks, as_json=as_json)
        if dry_run
        else pull_runner.pull(settings, options)
    )
