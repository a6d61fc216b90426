"""Writes a clinic's adherence pages from the marts: patient pages, call lists, and the rows for a spreadsheet.

What does not belong here: computing the marts, and deciding when pages are written (orchestration, command line).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fullscript_pipeline.reports import page_queries
from fullscript_pipeline.reports.clinic_pages import PatientSnooze, write_clinic_lists
from fullscript_pipeline.reports.export import clinic_csv, clinic_rows, clinic_workbook
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.patient import patient_page
from fullscript_pipeline.reports.store import ReportStore


@dataclass(frozen=True, kw_only=True, slots=True)
class PagesWritten:
    """What was written: counts only, no health data, so it may be in metadata and logs."""

    clinic_page: Path
    patient_pages: int
    bytes: int


def write_adherence_pages(
    con: duckdb.DuckDBPyConnection,
    store: ReportStore,
    context: PageContext,
    *,
    snoozes: Mapping[str, PatientSnooze] | None = None,
    patient_ids: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PagesWritten:
    """Write the page of every patient (or only of `patient_ids`) and the clinic's call lists.

    `con` reads the warehouse's marts. `snoozes`: by patient, who is set aside from the call list. `progress` gets
    (done, total). Pages of removed patients are deleted: all of them, or only those among `patient_ids`.
    Raises ConfigurationError if the folder cannot be written.
    """
    key = context.clinic.clinic_key
    written, size = _write_patient_pages(con, store, context, patient_ids=patient_ids, progress=progress)
    _remove_stale(store, key, written, patient_ids)
    lists = write_clinic_lists(con, store, context, snoozes or {})
    rows = clinic_rows(con, context)
    size += store.write(store.path_for_export(key), clinic_csv(rows))
    size += store.write(store.path_for_export(key, "xlsx"), clinic_workbook(rows, context))
    return PagesWritten(clinic_page=lists.page, patient_pages=len(written), bytes=size + lists.bytes)


def _write_patient_pages(
    con: duckdb.DuckDBPyConnection,
    store: ReportStore,
    context: PageContext,
    *,
    patient_ids: Sequence[str] | None,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[Path], int]:
    """Writes a page per patient. Returns the paths, and the bytes in all."""
    clinic, written, size = context.clinic, list[Path](), 0
    people = page_queries.load_patients(con, clinic.clinic_id, patient_ids)
    files = page_queries.load_patient_files(con, clinic.clinic_id, people, zone=context.zone.key)
    for done, file in enumerate(files, start=1):
        path = store.path_for_patient(clinic.clinic_key, file.patient.patient_id)
        size += store.write(path, patient_page(file, context))
        written.append(path)
        if progress:
            progress(done, len(people))
    return written, size


def _remove_stale(store: ReportStore, key: str, written: list[Path], patient_ids: Sequence[str] | None) -> None:
    if patient_ids is None:
        store.remove_stale_pages(store.path_for_patient(key, "any").parent, written)
        return
    current = set(written)
    if gone := {store.path_for_patient(key, ident) for ident in patient_ids} - current:
        store.remove(gone)
