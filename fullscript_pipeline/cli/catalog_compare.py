"""`catalog compare`: two catalogs beside each other, from this data directory, another warehouse, or an export.

What does not belong here: comparing and its formats (`catalog`, `reports`).
"""

from pathlib import Path

import click

from fullscript_pipeline import clock
from fullscript_pipeline.catalog import MatchBy, Side, compare_sides, read_exported_side, read_side
from fullscript_pipeline.cli.catalog_output import OUTPUT_HELP, write_output
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import print_data
from fullscript_pipeline.errors import ConfigurationError, UsageError
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.reports import side_formats
from fullscript_pipeline.settings import WAREHOUSE_FILE, Settings
from fullscript_pipeline.warehouse import Warehouse, warehouse_of

_FORMATS = ("table", "csv", "jsonl", "xlsx")
_HELP = (
    "Show what catalog LEFT has that RIGHT lacks, and the other way round; also prices and facts that differ. A side "
    "is a region of this data directory (us), another data directory, a warehouse file, or a folder of `export`. Of a "
    "side with several regions, choose one with @: backup/fullscript.duckdb@ca. Exit code 0: no differences; 1: some."
)


@click.command("compare", help=_HELP)
@click.argument("left")
@click.argument("right")
@click.option(
    "--by",
    "matched_by",
    type=click.Choice(["id", "upc", "sku"]),
    help="Match variants by this. Default: id where the sides share ids, else upc.",
)
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "jsonl", "xlsx"]), default="table", show_default=True
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help=OUTPUT_HELP)
@with_settings
def compare(
    settings: Settings, left: str, right: str, matched_by: MatchBy | None, form: str, output: Path | None
) -> int:
    if form == "xlsx" and output is None:
        raise UsageError("An Excel workbook is a file: name it, like --output compared.xlsx.")
    comparison = compare_sides(_open_side(settings, left), _open_side(settings, right), matched_by)
    match form:
        case "csv":
            content = side_formats.sides_csv(comparison).encode()
        case "jsonl":
            content = "".join(f"{line}\n" for line in side_formats.sides_jsonl(comparison)).encode()
        case "xlsx":
            content = side_formats.sides_workbook(comparison, clock.now())
        case _:
            content = side_formats.sides_table(comparison).encode()
    if output:
        write_output(output, content)
    elif content:
        print_data(content.decode().rstrip("\r\n"))
    return int(bool(comparison.differences))


def _open_side(settings: Settings, side: str) -> Side:
    """Reads a side as typed. Raises UsageError for one that is not there or holds no catalog."""
    if side in REGIONS and settings.lake_catalog:
        with warehouse_of(settings).read() as con:
            return read_side(con, "the lake", side)
    if side in REGIONS:
        return _read_warehouse(settings, settings.warehouse_path, "this directory", side)
    place, at, region = side.rpartition("@")
    place, chosen = (place, region) if at and region in REGIONS else (side, None)
    path = Path(place)
    if path.is_file():
        return _read_warehouse(settings, path, place, chosen)
    if (path / WAREHOUSE_FILE).is_file():
        return _read_warehouse(settings, path / WAREHOUSE_FILE, place, chosen)
    if path.is_dir():
        return read_exported_side(path, place, chosen)
    raise UsageError(
        f"There is no catalog at {place!r}: name a region ({', '.join(REGIONS)}), a data directory, a warehouse file, "
        "or a folder that `export` wrote to, like `fullscript-pipeline catalog compare us ca`."
    )


def _read_warehouse(settings: Settings, path: Path, label: str, region: str | None) -> Side:
    """Opens the file with this installation's key, then with the key of published copies, then as a plain file."""
    keys = dict.fromkeys([settings.warehouse_key, settings.publish_key, None])
    problem: ConfigurationError | None = None
    for key in keys:
        try:
            with Warehouse(path, key, temp_dir=settings.data_dir / "tmp").read() as con:
                return read_side(con, label, region)
        except ConfigurationError as error:
            problem = problem or error
    raise UsageError(f"{label} cannot be opened: {problem}") from None
