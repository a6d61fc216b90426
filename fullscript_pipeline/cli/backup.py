"""`backup`, `restore`, `tidy`: copies of the data directory, and how long landing files are kept.

What does not belong here: copying and removing (`maintenance.backup`, `warehouse.files`).
"""

from functools import partial
from pathlib import Path

import click

from fullscript_pipeline.cli.audited import audit_logged
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import print_data, print_message
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.health import format_bytes, stored_purged_patients
from fullscript_pipeline.maintenance import back_up, days_kept, remove_old_landing, require_contents
from fullscript_pipeline.maintenance import restore as put_back
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse import KEEP_SNAPSHOTS, Warehouse, warehouse_of
from fullscript_pipeline.web import back_up_portal, restore_portal

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(
    help="Copy the warehouse and the state store to a new folder, and verify the copy. The encryption key is not in "
    "it.",
)
@click.option("--to", type=FOLDER, help="Create the new folder here. Default: backups/ in the data directory.")
@click.option("--with-landing", is_flag=True, help="Copy the landing files too.")
@with_settings
def backup(settings: Settings, to: Path | None, with_landing: bool) -> None:
    settings.prepare_data_dir()
    warehouse = Warehouse(settings.warehouse_path, settings.warehouse_key)
    require_contents(settings)
    with audit_logged(settings, "backup", destination=to.absolute() if to else settings.backups_dir) as record:
        written = back_up(
            settings,
            warehouse,
            to.absolute() if to else None,
            with_landing=with_landing,
            add_files=partial(back_up_portal, settings.portal_path),
        )
        record.rows, record.destination = written.rows, str(written.folder)
    print_message(
        f"Backed up and verified: {counted(written.files, 'file')}, {format_bytes(written.bytes)}, "
        f"{counted(written.rows, 'row')}.",
        bold=True,
    )
    if settings.encryption_key:
        print_message(
            "The backup is encrypted with FULLSCRIPT_ENCRYPTION_KEY. The key is not in it: without it nobody can "
            "read it."
        )
    else:
        print_message("There is no encryption key: the backup holds health data and tokens in plain text.")
    print_data(str(written.folder))


@click.command(
    help="Restore the backup in folder FROM into the data directory. Stop `ui`, the daemon and the receiver first.",
)
@click.argument("folder", metavar="FROM", type=FOLDER)
@click.option("--force", is_flag=True, help="Replace the warehouse and the state store that exist there.")
@with_settings
def restore(settings: Settings, folder: Path, force: bool) -> None:
    settings.prepare_data_dir()
    warehouse = Warehouse(settings.warehouse_path, settings.warehouse_key)
    has_log = _has_log(settings)
    with audit_logged(settings, "restore", destination=settings.data_dir, at_end_only=not has_log) as record:
        restored = put_back(settings, warehouse, folder.absolute(), force=force)
        record.rows = restored.rows
        has_portal = restore_portal(folder.absolute(), settings.portal_path)
    print_message(
        f"Restored the backup of {restored.created_at}: {counted(restored.files, 'file')}, "
        f"{counted(restored.rows, 'row')}.",
        bold=True,
    )
    if has_portal:
        print_message("The portal's notes are those of the backup; everybody must sign in again.")
    _warn_of_restored_purged_people(settings, warehouse)
    print_message(
        "Tokens that were renewed after the backup do not work any more: `fullscript-pipeline clinics` shows which "
        "clinics must connect again."
    )
    print_message("Then run `fullscript-pipeline pull`, or `report adherence` to write the pages again.")
    print_data(str(settings.data_dir))


def _warn_of_restored_purged_people(settings: Settings, warehouse: Warehouse) -> None:
    with StateStore.open(settings) as store:
        if not store.purged.count():
            return
        with warehouse.read() as con:
            held = stored_purged_patients(con, store)
    for clinic, patient in held:
        print_message(
            f"The backup holds a person who was purged; to remove them again, run `fullscript-pipeline purge --patient "
            f"{clinic.clinic_key} {patient}`."
        )


def _has_log(settings: Settings) -> bool:
    """Whether there is an audit log in which the restore can be recorded before it begins.

    A damaged state store, or one under another key, may be the reason for the restore.
    """
    if not StateStore.exists(settings):
        return False
    try:
        with StateStore.open(settings) as store:
            store.audit.heads()
    except PipelineError as error:
        print_message(f"The existing audit log cannot be continued, and will be replaced. {error}")
        return False
    return True


@click.command(
    help="Remove landing files older than FULLSCRIPT_KEEP_LANDING_DAYS, and join the small files of a lake. Daily runs "
    "do this too."
)
@click.option("--dry-run", is_flag=True, help="Print what would be removed, and remove nothing.")
@with_settings
def tidy(settings: Settings, dry_run: bool) -> None:
    settings.prepare_data_dir()
    days = days_kept(settings)
    if not days:
        print_message("Landing files are kept forever: set FULLSCRIPT_KEEP_LANDING_DAYS to keep them for fewer days.")
    retention = counted(days, "day") if days else "forever"
    warehouse = warehouse_of(settings)
    if dry_run or not days:
        tidied = remove_old_landing(settings, warehouse, only_look=dry_run)
    else:
        with audit_logged(settings, "tidy", destination=settings.landing_dir):
            tidied = remove_old_landing(settings, warehouse)
    word = "would be removed" if dry_run else "removed"
    print_data(f"{counted(tidied.files, 'file')}, {format_bytes(tidied.bytes)} {word} (kept: {retention})")
    if not dry_run and (files := warehouse.tidy()) is not None:
        print_data(f"The lake has {counted(files, 'file')}; what was replaced is kept for {KEEP_SNAPSHOTS}.")
