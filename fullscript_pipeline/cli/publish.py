"""`publish` and `export`: copies for analysts.

What does not belong here: what is in them (`warehouse.publish`, `warehouse.export`).
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.cli.audited import DataSubjects, audit_logged
from fullscript_pipeline.cli.clinic_selection import find_known_clinic
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.cli.export_place import ExportPlace
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.files import open_files
from fullscript_pipeline.maintenance import has_warehouse, open_warehouse
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline.warehouse.publishing import PUBLISHED, CopyOptions, Deidentified, Format, Level, Published
from fullscript_pipeline.warehouse.publishing import export as write_files
from fullscript_pipeline.warehouse.publishing import publish as write_copy


@click.command(
    help="Write a copy of the warehouse for reading to published/: the whole warehouse, pseudonymised or "
    "de-identified. What each copy holds: docs/analysts.md.",
)
@click.option(
    "--pseudonymised", is_flag=True, help="Without names, texts and contacts, with ids of its own. Dates are kept."
)
@click.option(
    "--shift-dates", is_flag=True, help="With --pseudonymised: move each patient's dates back by 1 to 365 days."
)
@click.option("--deidentified", is_flag=True, help="Years instead of dates, random ids, groups of at least k patients.")
@click.option(
    "--k",
    type=click.IntRange(2, 1000),
    help="With --deidentified: the smallest group. Default: FULLSCRIPT_PUBLISH_K, or 5.",
)
@click.option("--with-current-year", is_flag=True, help="With --deidentified: include the current year.")
@with_settings
def publish(
    settings: Settings,
    pseudonymised: bool,
    shift_dates: bool,
    deidentified: bool,
    k: int | None,
    with_current_year: bool,
) -> None:
    if pseudonymised and deidentified:
        raise click.UsageError("A copy has one level: --pseudonymised or --deidentified.")
    if shift_dates and not pseudonymised:
        raise click.UsageError("--shift-dates goes with --pseudonymised.")
    if (k is not None or with_current_year) and not deidentified:
        raise click.UsageError("--k and --with-current-year go with --deidentified.")
    level = Level.PSEUDONYMISED if pseudonymised else Level.DEIDENTIFIED if deidentified else Level.WHOLE
    settings.prepare_data_dir()
    options = CopyOptions(level=level, shift_dates=shift_dates, k=k, with_current_year=with_current_year)
    warehouse = _warehouse(settings)
    name = "publish" if level is Level.WHOLE else f"publish --{level.value}"
    with audit_logged(settings, name, destination=open_files(settings, PUBLISHED).address("")) as record:
        copy = write_copy(settings, warehouse, options)
        record.destination, record.rows = copy.address, copy.rows
    for sentence in _describe(settings, copy):
        print_message(sentence)
    if settings.publish_key:
        print_message("The copy is encrypted with FULLSCRIPT_PUBLISH_KEY: give that key to its readers.")
    elif settings.warehouse_key:
        print_message(
            "The copy is encrypted with the pipeline's own key: set FULLSCRIPT_PUBLISH_KEY before you give a key to "
            "anybody."
        )
    else:
        print_message("The copy is not encrypted.")
    print_data(copy.address)


def _describe(settings: Settings, copy: Published) -> Iterator[str]:
    if copy.options.level is Level.PSEUDONYMISED:
        dates = (
            "are moved back by 1 to 365 days, the same for all dates of a patient"
            if copy.options.shift_dates
            else "are kept: whoever knows when a person ordered can find that person"
        )
        yield f"Pseudonymised: names, contacts and texts are left out, ids are the copy's own; dates {dates}."
    if summary := copy.deidentified:
        yield "De-identified: dates are years, ids are random and used in this copy only, clinics are codes."
        bands = f"in bands of {summary.birth_band_years} years" if summary.birth_band_years else "left out"
        yield (
            f"k reached: {summary.k_reached} (requested: {summary.k}). Birth years: {bands}. Suppressed: "
            f"{summary.patients_suppressed:,} of {summary.patients + summary.patients_suppressed:,} patients, "
            f"{summary.facts_suppressed:,} of {summary.facts + summary.facts_suppressed:,} rows of purchases and "
            "recommendations."
        )
        if not summary.facts:
            yield (
                "No row is left: too few patients share a product and a year. Use a lower --k, if your rules allow it."
            )
        yield _describe_last_year(settings, summary)
        yield (
            "A reader who knows a patient's clinic, birth years and gender, and a product with its year, could still "
            f"single out {summary.patients_standing_alone:,} of {summary.patients:,} patients."
        )


def _describe_last_year(settings: Settings, summary: Deidentified) -> str:
    if summary.through_year < clock.today(settings.time_zone).year:
        return (
            f"The copy ends with {summary.through_year}, the last complete year; {summary.patients_without_years:,} "
            "patients without data until then are left out."
        )
    return (
        f"The copy includes {summary.through_year}, which is not over: the difference to a second copy of that year "
        "would show what was added in between, so give out one copy a year."
    )


@click.command(
    help="Write tables as Parquet or CSV files, or everything stored about one person as JSON. The files are not "
    "encrypted; only this user can read them.",
)
@click.option("--patient", nargs=2, metavar="CLINIC ID", help="One patient of a clinic, by Fullscript's id.")
@click.option("--format", "file_format", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True)
@click.option(
    "--table", "tables", multiple=True, metavar="TABLE", help="Only this table. Repeatable. Default: core and marts."
)
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    help="Default: exports/<time> in the data directory, or where FULLSCRIPT_FILES_URL says.",
)
@click.pass_context
@with_settings
def export(
    context: click.Context,
    settings: Settings,
    patient: tuple[str, str] | None,
    file_format: Format,
    tables: Sequence[str],
    to: Path | None,
) -> None:
    is_format_explicit = context.get_parameter_source("file_format") is not ParameterSource.DEFAULT
    if patient and (tables or is_format_explicit):
        raise click.UsageError("--patient writes everything as JSON: leave --table and --format out.")
    settings.prepare_data_dir()
    place = ExportPlace.of(settings, to)
    warehouse = _warehouse(settings)
    if patient:
        _export_person(settings, warehouse, *patient, place)
        return
    with audit_logged(settings, "export", destination=place.address) as record:
        written = write_files(warehouse, place.folder, file_format, tables)
        record.rows = sum(file.rows for file in written)
        place.keep()
    rows = [[file.table, file.rows, place.address_of(file.path)] for file in written]
    print_data(format_columns(["table", "rows", "file"], rows))
    print_message("These files are not encrypted and hold health data: delete them when you no longer need them.")


def _export_person(
    settings: Settings, warehouse: Warehouse, clinic_name: str, patient_id: str, place: ExportPlace
) -> None:
    # The pages' templates: help does not need them.
    from fullscript_pipeline.maintenance import write_person_file  # noqa: PLC0415

    with StateStore.open(settings) as store:
        clinic = find_known_clinic(store, clinic_name)
        whose = DataSubjects(clinics=[clinic], patient_id=patient_id)
        with audit_logged(settings, "export --patient", whose=whose, destination=place.address) as record:
            written = write_person_file(
                settings, warehouse, store=store, clinic=clinic, patient_id=patient_id, folder=place.folder
            )
            record.rows = sum(written.counts.values())
            record.rows += _export_notes(settings, clinic, patient_id, place)
            place.keep()
    print_message(
        format_columns(["where", "held"], [[place, number] for place, number in sorted(written.counts.items())])
    )
    print_message("The file is not encrypted. Its last part names the files that hold copies of the same data.")
    print_data(place.address_of(written.path))


def _export_notes(settings: Settings, clinic: ClinicRef, patient_id: str, place: ExportPlace) -> int:
    """Writes what the clinic's people noted in the portal to a file of its own; returns how many notes there are."""
    from fullscript_pipeline.web import notes_of_person  # noqa: PLC0415 - only where there is a portal

    keys = [key.strip() for key in (settings.web_key or "").split(",") if key.strip()]
    notes = notes_of_person(
        settings.portal_path, keys, server=clinic.server, clinic_id=clinic.clinic_id, patient_id=patient_id
    )
    if notes and not keys:
        print_message(f"The portal holds {counted(len(notes), 'note')}, still sealed: set FULLSCRIPT_WEB_KEY to read.")
    if notes:
        path = place.folder / "portal-notes.json"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(notes, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        print_data(place.address_of(path))
    return len(notes)


def _warehouse(settings: Settings) -> Warehouse:
    """The warehouse, migrated to this version. Raises ConfigurationError when there is none: no empty copy."""
    if not has_warehouse(settings):
        raise ConfigurationError(
            f"There is no warehouse in {settings.data_dir} yet; `fullscript-pipeline pull` creates it."
        )
    return open_warehouse(settings)
