"""`keys new`, `keys rotate`: make an encryption key, and re-encrypt stored data with it.

What does not belong here: the re-encryption (`maintenance.key_rotation`).
"""

import time

import click

from fullscript_pipeline.cli.audited import audit_logged
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import print_data, print_message
from fullscript_pipeline.encryption import changing_keys, new_key
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.health import format_bytes
from fullscript_pipeline.maintenance import Rotation, backups_under_different_keys, plan_rotation, rotate_keys
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings, encryption_keys
from fullscript_pipeline.state import StateStore


@click.group(help="Print a new encryption key, or re-encrypt stored data with it.")
def keys() -> None:
    pass


@keys.command(
    help="Print a new random key of 256 bits. It is not stored: put it in FULLSCRIPT_ENCRYPTION_KEY (or _FILE, "
    "_COMMAND)."
)
def new() -> None:
    print_data(new_key())


@keys.command(
    help="Re-encrypt the state store, landing files, published copies and the warehouse with the first key of "
    "FULLSCRIPT_ENCRYPTION_KEY (new,old). After an interruption, run it again.",
)
@with_settings
def rotate(settings: Settings) -> None:
    listed = encryption_keys(settings.encryption_key)
    if not listed:
        raise ConfigurationError(
            "There is no encryption key: set FULLSCRIPT_ENCRYPTION_KEY to the new key, a comma and the old key."
        )
    if not StateStore.exists(settings):
        raise ConfigurationError(f"There is no state store at {settings.state_place} yet: nothing to rotate.")
    plan = plan_rotation(settings)
    _print_plan(plan, len(listed))
    began = time.monotonic()
    with audit_logged(settings, "keys rotate") as record, changing_keys(settings.data_dir):
        record.rows = rotate_keys(settings, print_message)
    print_message(f"Done in {time.monotonic() - began:.0f} s: all data are encrypted with the new key.", bold=True)
    _print_next_steps(settings, plan)


def _print_plan(plan: Rotation, listed: int) -> None:
    """Raises ConfigurationError when the disk has too little space."""
    databases, landing = len(plan.databases), plan.landing_files
    print_message(
        f"To re-encrypt with the first of {counted(listed, 'key')}: {counted(plan.values, 'value')} of the state "
        f"store, {counted(landing, 'landing file')} ({format_bytes(plan.bytes_of_landing)}), "
        f"{counted(databases, 'database')} ({format_bytes(plan.bytes_of_databases)}); {plan.bytes / 1e6:,.1f} MB in "
        "total."
    )
    print_message(
        f"This takes about {counted(round(plan.seconds), 'second')} and {format_bytes(plan.needed_bytes)} of disk "
        f"space; {format_bytes(plan.free)} are free."
    )
    if plan.free < plan.needed_bytes:
        raise ConfigurationError(
            f"The disk has {format_bytes(plan.free)} free, and rewriting the largest file needs "
            f"{format_bytes(plan.needed_bytes)}: free some space, then run `keys rotate` again. Nothing was changed."
        )


def _print_next_steps(settings: Settings, plan: Rotation) -> None:
    print_message("Set FULLSCRIPT_ENCRYPTION_KEY to the new key only, and restart `ui` or the services.")
    if settings.publish_key:
        print_message(
            "Copies encrypted with FULLSCRIPT_PUBLISH_KEY keep that key: to change it, set another and `publish` again."
        )
    if former := backups_under_different_keys(settings, plan.new):
        print_message(
            f"{counted(len(former), 'backup')} can be read with the old key only: keep that key, or make new backups "
            "and remove these:"
        )
        for folder in former:
            print_data(str(folder))
