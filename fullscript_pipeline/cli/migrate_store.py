"""`migrate-store`: moves the state store from the data directory's file to PostgreSQL, or back.

What does not belong here: copying (`state.store_move`).
"""

import click

from fullscript_pipeline.cli.audited import audit_logged
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import Settings, has_password, parse_state_url
from fullscript_pipeline.state import StateStore, move_store

_FILE = "file"


@click.command(
    "migrate-store",
    help="Move the state store: clinics, tokens, events, webhooks and the audit log. FROM and TO are `file` (in the "
    "data directory) or postgresql://USER@HOST/DATABASE. Stop `ui`, the daemon and the receiver first. Every row is "
    "compared; afterwards the former store is closed, so that no process can renew tokens in it.",
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_settings
def migrate_store(settings: Settings, source: str, target: str, yes: bool) -> None:
    former, new = _settings_with_store(settings, source), _settings_with_store(settings, target)
    if former.state_address == new.state_address:
        raise ConfigurationError("FROM and TO are the same state store: name another one to move it to.")
    if not StateStore.exists(former):
        raise ConfigurationError(f"There is no state store at {former.state_place} to move.")
    if not yes:
        click.confirm(f"Move the state store from {former.state_place} to {new.state_place}?", abort=True, err=True)
    with audit_logged(new, "migrate-store", destination=new.state_place, at_end_only=True) as record:
        with StateStore.open(former, is_moving=True) as leaving, StateStore.open(new, is_moving=True) as arriving:
            moved = move_store(leaving.db, arriving.db)
        record.rows = sum(table.rows for table in moved)
    print_data(format_columns(["table", "rows"], [[table.name, table.rows] for table in moved if table.rows]))
    print_message(f"Moved, every table the same on both sides. The store at {former.state_place} is closed.", bold=True)
    address = "Set FULLSCRIPT_STATE_URL to its address" if new.state_url else "Unset FULLSCRIPT_STATE_URL"
    print_message(f"{address} for every process. Dagster's runs stay where they were; the UI's history begins anew.")


def _settings_with_store(settings: Settings, place: str) -> Settings:
    """The settings as if they named this store. Raises ConfigurationError for an address that cannot be used."""
    if place == _FILE:
        return settings.model_copy(update={"state_url": None})
    try:
        address = parse_state_url(place)
    except ValueError as problem:
        raise ConfigurationError(f"{place!r} {problem} Or write `file` for the data directory's.") from None
    if address and has_password(address):
        raise ConfigurationError(
            "An address on the command line can be read by every user of this machine, and this one holds a password: "
            "leave the password out, and put it into ~/.pgpass or PGPASSWORD."
        )
    return settings.model_copy(update={"state_url": address})
