"""`report adherence`: mart and pages again, from what the warehouse holds."""

from collections.abc import Sequence
from datetime import date

import click

from fullscript_pipeline import clock
from fullscript_pipeline.cli.options import DAY
from fullscript_pipeline.cli.running import Cell, run_cells
from fullscript_pipeline.cli.say import data
from fullscript_pipeline.errors import NeedsConnect, UsageError
from fullscript_pipeline.orchestration.assets import adherence as assets
from fullscript_pipeline.orchestration.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.partitions import clinic_cell
from fullscript_pipeline.orchestration.resources import WarehouseResource
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore


@click.group(help="Rebuild reports from the warehouse; nothing is asked of Fullscript.")
def report() -> None:
    pass


@report.command("adherence", help="The adherence rows and pages of every clinic, as of the end of a day.")
@click.option("--clinic", "clinics", multiple=True, metavar="CLINIC", help="Key or id; again for more. Default: all.")
@click.option("--as-of", type=DAY, help="Through the end of this day. Default: today.")
def adherence(clinics: Sequence[str], as_of: date | None) -> int:
    settings = load_settings()
    settings.prepare_data_dir()
    today = clock.today(settings.time_zone)
    day = as_of or today
    if not settings.start_date <= day <= today:
        raise UsageError(f"--as-of {day} must lie between {settings.start_date} and today, {today}.")
    with StateStore(settings.state_path, settings.encryption_key) as store:
        chosen = [store.clinic(one) for one in dict.fromkeys(clinics)] if clinics else store.clinics()
        if not chosen:
            raise NeedsConnect("No clinic is connected; run `fullscript-pipeline connect ENV` first.")
        instance = open_instance(settings)
        add_clinic_partitions(instance, store)
    WarehouseResource().open()
    keys = frozenset([*assets.adherence.keys, *assets.adherence_pages.keys])
    cells = [
        Cell(
            f"{clinic.clinic_key} {day}",
            "clinic_daily",
            clinic_cell(clinic.clinic_key, day),
            tags={"fullscript/clinic": clinic.clinic_key},
            assets=keys,
        )
        for clinic in chosen
    ]
    code, outcomes = run_cells(instance, cells)
    for _, outcome in outcomes:
        if page := outcome.materialized.get("reports/adherence", {}).get("page"):
            data(str(page))
    return code
