"""Erases a clinic or a patient from everything in this data directory.

The warehouse is second to last, before the pages: only it knows which plans and orders are the patient's, so a repeated
purge finds them after an interruption. What does not belong here: asking for confirmation (`cli.purge`).
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.adherence import mart_day, recount_statuses
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.atomic_files import remove_leftover_files, remove_leftovers
from fullscript_pipeline.errors import Busy, ConfigurationError
from fullscript_pipeline.files import open_files
from fullscript_pipeline.maintenance.copies_elsewhere import (
    backup_folders,
    external_exports,
    known_backups,
)
from fullscript_pipeline.maintenance.landed_files import landed_folders
from fullscript_pipeline.maintenance.page_rebuild import ClinicDay, rewrite_pages
from fullscript_pipeline.maintenance.report_store import open_report_store
from fullscript_pipeline.reports import (
    ReportStore,
    erase_patient_from_archive,
    remove_archived_pages,
    remove_clinic_pages,
    remove_pages_of_earlier_days,
    write_index,
)
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore, purge_clinic, purge_patient
from fullscript_pipeline.warehouse import Warehouse, moved_file
from fullscript_pipeline.warehouse.personal_data import Subject, ids_of, purge
from fullscript_pipeline.warehouse.publishing import CopyOptions, EmptyCopy, Level, options_of_copies, publish


@dataclass(frozen=True, kw_only=True)
class Purged:
    """What was removed, by place (a table, or a kind of file); backups and exports that may still hold it; copies for
    analysts that could not be made again, each with the reason."""

    counts: dict[str, int] = field(default_factory=dict)
    backups: tuple[Path, ...] = ()
    exports: tuple[str, ...] = ()
    failed_copies: tuple[str, ...] = ()


def purge_everywhere(
    settings: Settings, warehouse: Warehouse, store: StateStore, clinic: ClinicRef, patient_id: str | None = None
) -> Purged:
    """Removes the clinic, or one of its patients, and records it in ops.purges if there was anything to remove.

    Raises ConfigurationError where pages of a former place are left, Busy when a run fills a landing file, a backup is
    being written or the warehouse is held too long, and LandingDamage for a damaged landing file; repeat it then.
    """
    _remove_leftovers(settings, store)
    subject = Subject(clinic_id=clinic.clinic_id, patient_id=patient_id)
    with warehouse.read() as con:
        ids = ids_of(con, subject)
    reports, copies = _open_pages(settings), options_of_copies(settings)
    files = _erase_files(settings, store, reports, clinic=clinic, patient_id=patient_id, ids=ids)
    with warehouse.write() as con:
        removed = files | _erase_rows(con, store, clinic, subject=subject, ids=ids)
        counts = {place: number for place, number in removed.items() if number}
        if not counts:
            return Purged()
        if patient_id:
            recount_statuses(con, clinic.clinic_id)
            store.purged.remember(clinic, patient_id, ids)
        purge.record(con, subject, digest=subject.digest(settings.warehouse_key), when=clock.now(), counts=counts)
    # Copies and pages of earlier days hold all patients: they are removed with any row. Copies are then made again.
    counts |= _remove_copies(settings)
    if patient_id and (pages := remove_pages_of_earlier_days(reports, clinic.clinic_key)):
        counts["pages_of_earlier_days"] = pages
    warehouse.erase_deleted()
    _rewrite_lists(settings, warehouse, reports=reports, clinic=clinic, patient_id=patient_id)
    return Purged(
        counts=counts,
        backups=tuple(known_backups(settings, store)),
        exports=tuple(external_exports(settings, store)),
        failed_copies=tuple(_republish_copies(settings, warehouse, copies)),
    )


def _open_pages(settings: Settings) -> ReportStore:
    """Raises ConfigurationError where a warehouse or pages of a former place are left, which hold everybody."""
    if (moved := moved_file(settings.warehouse_path)).exists():
        raise ConfigurationError(
            f"{moved} is the warehouse from before it was moved into the lake, and nothing is erased in it: delete it, "
            "then run the command again."
        )
    former, present = settings.data_dir / "reports", open_files(settings, "reports").address("")
    is_present = settings.bucket_url is None and former.resolve() == settings.reports_dir.resolve()
    if is_present or not any((former / name).exists() for name in ("clinics", "kept")):
        return open_report_store(settings)
    raise ConfigurationError(
        f"Pages that were written before FULLSCRIPT_FILES_URL was set are still in {former}, where nothing is erased "
        f"(pages are in {present} now): copy what you keep, delete that folder, then run the command again."
    )


def _erase_files(
    settings: Settings,
    store: StateStore,
    reports: ReportStore,
    *,
    clinic: ClinicRef,
    patient_id: str | None,
    ids: frozenset[str],
) -> dict[str, int]:
    landed: Counter[str] = Counter()
    with landed_folders(settings, store, f"{clinic.server}/{clinic.clinic_key}") as folders:
        for folder in folders:
            if patient_id is None:
                landed["landing_files"] += purge.remove_landing(folder)
            else:
                landed += Counter(purge.purge_landing(folder, settings.warehouse_key, ids))
    if patient_id is None:
        return {
            **landed,
            "pages": remove_clinic_pages(reports, clinic.clinic_key),
            "kept_pages": remove_archived_pages(reports, clinic.clinic_key),
            "pages_of_earlier_days": remove_pages_of_earlier_days(reports, clinic.clinic_key),
        }
    page = reports.path_for_patient(clinic.clinic_key, patient_id)
    has_page = reports.exists(page)
    reports.remove([page])
    return {
        **landed,
        "pages": int(has_page),
        "kept_pages": erase_patient_from_archive(reports, clinic.clinic_key, patient_id),
    }


def _erase_rows(
    con: duckdb.DuckDBPyConnection, store: StateStore, clinic: ClinicRef, *, subject: Subject, ids: frozenset[str]
) -> dict[str, int]:
    """Removes the rows from warehouse and state store."""
    counts = purge.delete_rows(con, subject, ids)
    if subject.patient_id is None:
        return counts | {"state": purge_clinic(store.db, store.keyring, clinic)}
    return counts | {"state": purge_patient(store.db, store.keyring, clinic, ids)}


def _remove_copies(settings: Settings) -> dict[str, int]:
    """Removes the published copies and the exports of this installation. Returns the number of files by kind."""
    counts = {}
    for place in ("published", "exports"):
        files = open_files(settings, place)
        names = files.names_below("")
        files.delete(names)
        if names:
            counts[place] = len(names)
    shutil.rmtree(settings.exports_dir, ignore_errors=True)
    return counts


def _republish_copies(settings: Settings, warehouse: Warehouse, copies: list[CopyOptions | Level]) -> Iterator[str]:
    """Writes the published copies again, without the person. Yields a message for each that cannot be written."""
    for copy in copies:
        if isinstance(copy, Level):
            yield f"The {copy.value} copy does not record how it was made (another key, or an earlier version)."
            continue
        try:
            publish(settings, warehouse, copy)
        except (ConfigurationError, EmptyCopy) as problem:
            yield str(problem)


def _rewrite_lists(
    settings: Settings, warehouse: Warehouse, reports: ReportStore, clinic: ClinicRef, patient_id: str | None
) -> None:
    """Writes the clinic's lists without the patient; after a clinic was removed, the index without it."""
    with warehouse.read() as con:
        names = dict(con.execute("SELECT clinic_key, coalesce(name, clinic_key) FROM core.clinics").fetchall())
        for past in reports.earlier_days():
            past_store = reports.of_day(past)
            write_index(
                past_store,
                rendered_at=clock.now(),
                time_zone=settings.time_zone,
                clinic_names=names,
                past=past,
                language=settings.language,
            )
        day = mart_day(con, clinic.clinic_id) if patient_id else None
    if patient_id and clinic.clinic_key in reports.clinic_keys():
        # Lists and spreadsheets name all patients: all are written again, even when no patient is left.
        remove_clinic_pages(reports, clinic.clinic_key)
        day = day or clock.today(settings.time_zone)
        rewrite_pages(ClinicDay(settings=settings, warehouse=warehouse, clinic=clinic, day=day), reports)
    elif reports.exists(reports.path_for_index()):
        write_index(
            reports,
            rendered_at=clock.now(),
            time_zone=settings.time_zone,
            clinic_names=names,
            language=settings.language,
        )


def _remove_leftovers(settings: Settings, store: StateStore) -> None:
    """Removes incomplete files of interrupted commands.

    Raises Busy while a backup is being written: it would hold the person.
    """
    being_written = [path for folder in backup_folders(settings, store) for path in remove_leftovers(folder)]
    if being_written:
        raise Busy(f"A backup is being written to {being_written[0]}: wait until it ends, then run the purge again.")
    remove_leftover_files(settings.data_dir, settings.files_dir)
