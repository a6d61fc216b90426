"""`clock repair`: what a run under a wrong clock has left in the future is moved back to now.

What does not belong here: moving it (`orchestration.clock_repair`).
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


@click.group("clock", help="The time that things are stored under.")
def clock_group() -> None:
    pass


@clock_group.command(
    help="Move every stored time that lies in the future back to now, in order, after a verified backup. Set this "
    "machine's clock right first, and stop the UI, the daemon and the receiver.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be moved.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--unverified", is_flag=True, help="Trust this machine's clock although no server can be asked.")
@with_settings
def repair(settings: Settings, dry_run: bool, yes: bool, unverified: bool) -> None:
    # Dagster, which help need not wait for.
    from fullscript_pipeline.maintenance import open_warehouse  # noqa: PLC0415
    from fullscript_pipeline.orchestration.runtime import ClockRepair, open_instance  # noqa: PLC0415

    if not settings.state_path.exists():
        raise ConfigurationError(f"There is no state store at {settings.state_path} yet: nothing to repair.")
    with StateStore(settings.state_path, settings.encryption_key) as store, open_instance(settings) as instance:
        now = clock.now()
        work = ClockRepair(settings, open_warehouse(settings), store, instance, now)
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
            print_message(f"Backed up and verified before: {backup.folder}")
        print_message("Moved back. Now `fullscript-pipeline pull`, which makes pages and digests anew.", bold=True)


def _require_right_clock(settings: Settings, *, unverified: bool) -> None:
    """Raises ConfigurationError when a server's clock contradicts ours, ServiceUnavailable when none can be asked.

    A clock that is behind would take every true time for one to come.
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
                f"This machine's clock is {format_clock_lead(ours)} that of {server.name}, so nothing was moved: set "
                "it by the network (NTP), then run this again."
            )
        is_witnessed = True
    if not is_witnessed and not unverified:
        raise ServiceUnavailable(
            "No server could be asked for the time, and under a wrong clock this would spoil what is right: run it "
            "again when a server answers, or with --unverified when you have compared this machine's clock yourself."
        )
