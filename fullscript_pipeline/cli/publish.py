"""`publish` and `export`: copies for analysts.

What does not belong here: what is in them (`warehouse.publish`, `warehouse.export`).
"""

from collections.abc import Sequence
from pathlib import Path

import click

from fullscript_pipeline import clock
from fullscript_pipeline.cli.audited import recorded
from fullscript_pipeline.cli.say import data, table, talk
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.orchestration.opened import open_warehouse
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.export import Format
from fullscript_pipeline.warehouse.export import export as write_files
from fullscript_pipeline.warehouse.lookups import rows_in
from fullscript_pipeline.warehouse.publish import publish as write_copy


@click.command(
    help="Write a read copy of the warehouse to published/; what a de-identified one keeps: docs/operations.md.",
)
@click.option("--deidentified", is_flag=True, help="Without names, texts and contacts; persons' ids hashed.")
def publish(deidentified: bool) -> None:
    settings = load_settings()
    settings.prepare_data_dir()
    warehouse = _warehouse(settings)
    name = "publish --deidentified" if deidentified else "publish"
    with recorded(settings, name, destination=settings.published_dir) as record:
        path = write_copy(settings, warehouse, deidentified=deidentified)
        record.destination = str(path)
        record.rows = rows_in(Warehouse(path, settings.publish_key or settings.warehouse_key))
    if settings.publish_key:
        talk("It is encrypted with FULLSCRIPT_PUBLISH_KEY: that is the key to hand out.")
    elif settings.warehouse_key:
        talk("It is encrypted with the pipeline's own key; set FULLSCRIPT_PUBLISH_KEY before handing a key out.")
    else:
        talk("It is not encrypted.")
    data(str(path))


@click.command(
    help="Write tables as Parquet or CSV files, in the clear and for this user only.",
)
@click.option("--format", "file_format", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True)
@click.option("--table", "tables", multiple=True, metavar="TABLE", help="Again for more. Default: core and marts.")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), help="Default: exports/<time> in the data dir.")
def export(file_format: Format, tables: Sequence[str], to: Path | None) -> None:
    settings = load_settings()
    settings.prepare_data_dir()
    folder = (to or settings.data_dir / "exports" / f"{clock.real_now():%Y%m%dT%H%M%SZ}").absolute()
    warehouse = _warehouse(settings)
    with recorded(settings, "export", destination=folder) as record:
        written = write_files(warehouse, folder, file_format, tables)
        record.rows = sum(one.rows for one in written)
    data(table(["table", "rows", "file"], [[one.table, one.rows, str(one.path)] for one in written]))
    talk("These files are not encrypted and hold health data; delete them when they are used.")


def _warehouse(settings: Settings) -> Warehouse:
    """The warehouse, brought to this version. Raises ConfigurationError when there is none: no empty copy."""
    if not settings.warehouse_path.exists():
        raise ConfigurationError(
            f"There is no warehouse in {settings.data_dir} yet; `fullscript-pipeline pull` makes it."
        )
    return open_warehouse()
