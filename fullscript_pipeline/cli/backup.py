"""`backup`, `restore`, `tidy`: copies of the data directory, and how long landed pages are kept.

What does not belong here: how (`orchestration.backups`, `warehouse.retention`).
"""

from pathlib import Path

import click

from fullscript_pipeline import clock
from fullscript_pipeline.cli.say import data, talk
from fullscript_pipeline.counted import counted
from fullscript_pipeline.health.volume import in_words
from fullscript_pipeline.orchestration.backups import back_up
from fullscript_pipeline.orchestration.backups import restore as put_back
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.retention import tidy_landing

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(
    help="Copy the warehouse and the state store to a folder, and read the copy back. The encryption key is not in it.",
)
@click.option("--to", type=FOLDER, help="A folder is made in it. Default: backups/ in the data directory.")
@click.option("--with-landing", is_flag=True, help="The landed pages too.")
def backup(to: Path | None, with_landing: bool) -> None:
    settings = load_settings()
    settings.prepare_data_dir()
    warehouse = Warehouse(settings.warehouse_path, settings.warehouse_key)
    made = back_up(settings, warehouse, to.absolute() if to else None, with_landing=with_landing)
    talk(
        f"Backed up and verified: {counted(made.files, 'file')}, {in_words(made.bytes)}, {counted(made.rows, 'row')}.",
        bold=True,
    )
    if settings.encryption_key:
        talk("It is encrypted with FULLSCRIPT_ENCRYPTION_KEY, which is not in it: without the key it cannot be read.")
    else:
        talk("There is no encryption key, so it holds health data and tokens in the clear.")
    data(str(made.folder))


@click.command(
    help="Put the backup in folder FROM into the data directory. Stop the UI, the daemon and the receiver first.",
)
@click.argument("folder", metavar="FROM", type=FOLDER)
@click.option("--force", is_flag=True, help="Replace a warehouse and a state store that are there.")
def restore(folder: Path, force: bool) -> None:
    settings = load_settings()
    settings.prepare_data_dir()
    warehouse = Warehouse(settings.warehouse_path, settings.warehouse_key)
    made = put_back(settings, warehouse, folder.absolute(), force=force)
    talk(
        f"Restored the backup of {made.made_at}: {counted(made.files, 'file')}, {counted(made.rows, 'row')}.",
        bold=True,
    )
    talk("Tokens that were renewed since are of no use: `fullscript-pipeline clinics` shows who must connect again.")
    talk("Then `fullscript-pipeline pull`, or `report adherence` to write the pages again.")
    data(str(settings.data_dir))


@click.command(help="Remove landed pages older than FULLSCRIPT_KEEP_LANDING_DAYS; daily runs do it by themselves.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed.")
def tidy(dry_run: bool) -> None:
    settings = load_settings()
    settings.prepare_data_dir()
    if not settings.keep_landing_days:
        talk("Landed pages are kept for ever: set FULLSCRIPT_KEEP_LANDING_DAYS to the days to keep them.")
    kept = counted(settings.keep_landing_days, "day") if settings.keep_landing_days else "for ever"
    today = clock.today(settings.time_zone)
    tidied = tidy_landing(settings.landing_dir, settings.keep_landing_days, today, only_look=dry_run)
    word = "would be removed" if dry_run else "removed"
    data(f"{counted(tidied.files, 'file')}, {in_words(tidied.bytes)} {word} (kept: {kept})")
