"""`migrate-store`: moves the state store to PostgreSQL, or the warehouse into a lake, and back.

What does not belong here: copying (`state.store_move`, `warehouse.warehouse_move`).
"""

from collections.abc import Callable

import click

from fullscript_pipeline.cli.audited import audit_logged
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.maintenance import has_warehouse, open_warehouse
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings, has_password, parse_state_url, parse_warehouse_url
from fullscript_pipeline.state import StateStore, move_store
from fullscript_pipeline.warehouse import move_into_lake, move_out_of_lake, moved_file, warehouse_of

_FILE, _LAKE = "file", "ducklake:"
_HOLDS_A_PASSWORD = (
    "An address on the command line can be read by every user of this machine, and this one holds a password: "  # noqa: S105
    "leave the password out, and put it into ~/.pgpass or PGPASSWORD."
)


@click.command(
    "migrate-store",
    help="Move the state store (clinics, tokens, events, webhooks, audit log) or the warehouse. One of FROM and TO is "
    "`file` (in the data directory), the other postgresql://USER@HOST/DATABASE (state store) or "
    "ducklake:postgres:dbname=DATABASE (warehouse). Stop `ui`, the daemon and the receiver first. Every row is "
    "compared. Afterwards the former store can no longer be used; only a lake stays as it is.",
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_settings
def migrate_store(settings: Settings, source: str, target: str, yes: bool) -> None:
    if source.startswith(_LAKE) or target.startswith(_LAKE):
        _migrate_warehouse(_settings_with_warehouse(settings, source), _settings_with_warehouse(settings, target), yes)
    else:
        _migrate_state(_settings_with_store(settings, source), _settings_with_store(settings, target), yes)


def _migrate_state(former: Settings, new: Settings, yes: bool) -> None:
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


def _migrate_warehouse(former: Settings, new: Settings, yes: bool) -> None:
    if former.lake_catalog and new.lake_catalog:
        raise ConfigurationError("FROM and TO are both a lake: move it to `file` first.")
    if not has_warehouse(former):
        raise ConfigurationError(f"There is no warehouse to move from {_place_of(former)}.")
    if not yes:
        click.confirm(f"Move the warehouse from {_place_of(former)} to {_place_of(new)}?", abort=True, err=True)
    with audit_logged(new, "migrate-store", destination=_place_of(new), at_end_only=True) as record:
        leaving = open_warehouse(former, is_moving=True)
        if new.lake_catalog:
            record.rows = move_into_lake(leaving, open_warehouse(new, is_moving=True))
            advice = (
                f"Set FULLSCRIPT_WAREHOUSE_URL for every process. {moved_file(leaving.path)} holds what was moved, and "
                "`purge` refuses while it exists: delete it when the lake works."
            )
        else:
            record.rows = move_out_of_lake(leaving, warehouse_of(new))
            advice = (
                "Unset FULLSCRIPT_WAREHOUSE_URL for every process. The lake is unchanged: when the file works, drop "
                "the schema `lake` and delete the lake's files."
            )
    print_message(f"Moved {counted(record.rows, 'row')}, every table the same on both sides.", bold=True)
    print_message(advice)


def _place_of(settings: Settings) -> str:
    return warehouse_of(settings).place


def _settings_with_warehouse(settings: Settings, place: str) -> Settings:
    """The settings as if they named this warehouse. Raises ConfigurationError for an address that cannot be used."""
    if place == _FILE:
        return settings.model_copy(update={"warehouse_url": None})
    catalog = _parsed(place, parse_warehouse_url)
    if catalog is None or "password" in catalog or has_password(catalog):
        raise ConfigurationError(_HOLDS_A_PASSWORD)
    if not settings.state_url:
        raise ConfigurationError(
            "A lake is for several machines, and the state store is a file of this one: move that first "
            "(`fullscript-pipeline migrate-store file postgresql://...`), and set FULLSCRIPT_STATE_URL."
        )
    return settings.model_copy(update={"warehouse_url": catalog})


def _settings_with_store(settings: Settings, place: str) -> Settings:
    """The settings as if they named this store. Raises ConfigurationError for an address that cannot be used."""
    if place == _FILE:
        return settings.model_copy(update={"state_url": None})
    address = _parsed(place, parse_state_url)
    if address and has_password(address):
        raise ConfigurationError(_HOLDS_A_PASSWORD)
    return settings.model_copy(update={"state_url": address})


def _parsed(place: str, parse: Callable[[str], str | None]) -> str | None:
    try:
        return parse(place)
    except ValueError as problem:
        # The address is not repeated: it may hold a password.
        raise ConfigurationError(f"FROM or TO {problem} Or write `file` for the data directory's.") from None
