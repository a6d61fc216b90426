"""`clock repair`: moves times back to now that a run under a wrong clock has stored in the future.

What does not belong here: the repair itself (`orchestration.runtime.clock_repair`).
"""

import click

from fullscript_pipeline import clock
from fullscript_pipeline.api import WARN_AFTER, FullscriptError, clock_offset, format_clock_lead
from fullscript_pipeline.cli.audited import audit_logged
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.errors import ConfigurationError, ServiceUnavailable
from fullscript_pipeline.health import configured_servers
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore


@click.group("clock", help="Correct times that were stored under a wrong clock.")
def clock_group() -> None:
    pass


@clock_group.command(
    help="Make a verified backup, then move every stored time that lies in the future back to now, keeping their "
    "order. First correct this machine's clock, and stop `ui`, the daemon and the receiver.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be moved, and move nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--unverified", is_flag=True, help="Trust this machine's clock when no server can be reached to compare it with."
)
@with_settings
def repair(settings: Settings, dry_run: bool, yes: bool, unverified: bool) -> None:
    # Dagster: help does not need it.
    from fullscript_pipeline.maintenance import open_warehouse  # noqa: PLC0415
    from fullscript_pipeline.orchestration.runtime import ClockRepair, open_instance  # noqa: PLC0415

    _require_files_here(settings)
    if not StateStore.exists(settings):
        raise ConfigurationError(f"There is no state store at {settings.state_place} yet: nothing to repair.")
    with StateStore.open(settings) as store, open_instance(settings) as instance:
        now = clock.now()
        work = ClockRepair(
            settings=settings, warehouse=open_warehouse(settings), store=store, instance=instance, now=now
        )
        if not (counts := work.find()):
            print_message(f"Nothing is stored under a time after {now:%Y-%m-%d %H:%M} UTC.", bold=True)
            return
        print_data(
            format_columns(["where", "after now"], [[place, number] for place, number in sorted(counts.items())])
        )
        if dry_run:
            return
        _require_right_clock(settings, unverified=unverified)
        if not yes:
            click.confirm(f"Move them back to {now:%Y-%m-%d %H:%M} UTC?", abort=True, err=True)
        with audit_logged(settings, "clock repair", destination=settings.backups_dir) as record:
            backup = work.repair()
            record.rows = sum(counts.values())
        if backup:
            print_message(f"Made a verified backup before: {backup.folder}")
        print_message(
            "Moved back. Now run `fullscript-pipeline pull`, which writes pages and digests again.", bold=True
        )


def _require_files_here(settings: Settings) -> None:
    """Raises ConfigurationError where pages are in a bucket."""
    if settings.bucket_url:
        raise ConfigurationError(
            f"Pages are in {settings.bucket_url}, where this command moves nothing: run it with FULLSCRIPT_FILES_URL "
            "unset, then delete the files named by a future day below reports/catalog and reports/kept there."
        )


def _require_right_clock(settings: Settings, *, unverified: bool) -> None:
    """Raises ConfigurationError when a server's clock differs from ours, ServiceUnavailable when none can be reached.

    Under a clock that is behind, every correct time would look like a future time.
    """
    if clock.is_set_by_hand():
        return
    is_witnessed = False
    for server in configured_servers(settings):
        try:
            ours = -clock_offset(server)
        except FullscriptError:
            continue
        if abs(ours) > WARN_AFTER:
            raise ConfigurationError(
                f"This machine's clock is {format_clock_lead(ours)} that of {server.name}, so nothing was moved: "
                "synchronise it (NTP), then run this again."
            )
        is_witnessed = True
    if not is_witnessed and not unverified:
        raise ServiceUnavailable(
            "No server could be reached to compare the clock with, and under a wrong clock the repair would damage "
            "correct times: run it again when a server answers, or with --unverified when you have checked this "
            "machine's clock yourself."
        )
