"""Writes a clinic's adherence pages from the marts: patient pages, call lists, and the rows for a spreadsheet.

What does not belong here: computing the marts, and deciding when pages are written (orchestration, command line).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.reports import page_queries
from fullscript_pipeline.reports.clinic_pages import PatientSnooze, write_clinic_lists
from fullscript_pipeline.reports.export import clinic_csv, clinic_rows, clinic_workbook
from fullscript_pipeline.reports.language import page_language
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.patient import patient_page
from fullscript_pipeline.reports.store import ReportStore
from fullscript_pipeline.reports.thresholds import ReportPolicy


@dataclass(frozen=True, slots=True)
class PagesWritten:
    """What was written: counts only, no health data, so it may be in metadata and logs."""

    clinic_page: Path
    patient_pages: int
    bytes: int


def write_adherence_pages(
    con: duckdb.DuckDBPyConnection,
    store: ReportStore,
    *,
    clinic_id: str,
    as_of: date,
    rendered_at: datetime,
    time_zone: ZoneInfo,
    last_pull_at: datetime | None,
    held_rows: Mapping[str, int] | None = None,
    quarantined: Mapping[str, int] | None = None,
    access_refused: Mapping[str, datetime | None] | None = None,
    narrowed: Mapping[str, datetime | None] | None = None,
    snoozes: Mapping[str, PatientSnooze] | None = None,
    shows_contact: bool = False,
    patient_ids: Sequence[str] | None = None,
    language: str = "en",
    policy: ReportPolicy = ReportPolicy(),  # noqa: B008 -- frozen
    progress: Callable[[int, int], None] | None = None,
) -> PagesWritten:
    """Write the page of every patient (or only of `patient_ids`) and the clinic's call lists.

    `con` reads the warehouse's marts. `as_of` means through the end of that day. `progress` gets (done, total).
    `snoozes`: by patient, who is set aside from the call list.
    Pages of removed patients are deleted: all of them, or only those among `patient_ids`.
    Raises UsageError for a clinic that is not in the warehouse and for a language without a catalogue,
    ConfigurationError if the folder cannot be written.
    """
    clinic = page_queries.load_clinic(con, clinic_id)
    if clinic is None:
        raise UsageError(
            f"Clinic {clinic_id} is not in the warehouse, so it has no pages; pull it first, or choose another."
        )
    context = PageContext(
        clinic=clinic,
        practitioners=page_queries.load_practitioner_names(con, clinic_id),
        as_of=as_of,
        rendered_at=rendered_at,
        last_pull_at=last_pull_at,
        zone=time_zone,
        policy=policy,
        language=page_language(language),
        labs=page_queries.has_labs(con, clinic_id),
        contact=shows_contact,
        held_rows=held_rows or {},
        quarantined=quarantined or {},
        access_refused=access_refused or {},
        narrowed=narrowed or {},
    )
    key = context.clinic.clinic_key
    people = page_queries.load_patients(con, clinic_id, patient_ids)
    written = []
    size = 0
    for done, file in enumerate(page_queries.load_patient_files(con, clinic_id, people, zone=time_zone.key), start=1):
        path = store.path_for_patient(key, file.patient.patient_id)
        size += store.write(path, patient_page(file, context))
        written.append(path)
        if progress:
            progress(done, len(people))
    _remove_stale(store, key, written, patient_ids)
    lists = write_clinic_lists(con, store, context, snoozes or {})
    rows = clinic_rows(con, clinic_id, policy)
    size += store.write(store.path_for_export(key), clinic_csv(rows))
    size += store.write(store.path_for_export(key, "xlsx"), clinic_workbook(rows, context))
    return PagesWritten(lists.page, len(written), size + lists.bytes)


def _remove_stale(store: ReportStore, key: str, written: list[Path], patient_ids: Sequence[str] | None) -> None:
    if patient_ids is None:
        store.remove_stale_pages(store.path_for_patient(key, "any").parent, written)
        return
    current = set(written)
    for path in {store.path_for_patient(key, ident) for ident in patient_ids} - current:
        path.unlink(missing_ok=True)
