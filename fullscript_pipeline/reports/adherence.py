"""Writes a clinic's adherence pages from the marts: patient pages, lists of patients, the rows for a spreadsheet.

What does not belong here: computing the marts, and deciding when pages are written (orchestration, command line).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.reports import clinic as lists
from fullscript_pipeline.reports import page_queries
from fullscript_pipeline.reports.export import clinic_csv, clinic_rows, clinic_workbook
from fullscript_pipeline.reports.page_context import Setting
from fullscript_pipeline.reports.patient import patient_page
from fullscript_pipeline.reports.store import ReportStore, file_id
from fullscript_pipeline.reports.thresholds import ReportPolicy


@dataclass(frozen=True, slots=True)
class PagesWritten:
    """What was written: counts only, no health data, so it may stand in metadata and logs."""

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
    set_aside: Mapping[str, int] | None = None,
    unreadable: Mapping[str, datetime | None] | None = None,
    narrowed: Mapping[str, datetime | None] | None = None,
    patient_ids: Sequence[str] | None = None,
    policy: ReportPolicy = ReportPolicy(),  # noqa: B008 -- frozen
    progress: Callable[[int, int], None] | None = None,
) -> PagesWritten:
    """Write every patient's page (or only those of `patient_ids`) and the clinic's lists.

    `con` reads the warehouse's marts; `as_of` means through the end of that day; `progress` gets (done, of).
    A full writing removes pages of patients who are gone; a partial one those of `patient_ids` who are.
    Raises UsageError for a clinic the warehouse does not know, ConfigurationError when the folder cannot be written.
    """
    found = page_queries.clinic(con, clinic_id)
    if found is None:
        raise UsageError(
            f"Clinic {clinic_id} is not in the warehouse, so it has no pages; pull it first, or choose another."
        )
    setting = Setting(
        clinic=found,
        practitioners=page_queries.practitioners(con, clinic_id),
        as_of=as_of,
        rendered_at=rendered_at,
        last_pull_at=last_pull_at,
        zone=time_zone,
        policy=policy,
        labs=page_queries.has_labs(con, clinic_id),
        held_rows=held_rows or {},
        set_aside=set_aside or {},
        unreadable=unreadable or {},
        narrowed=narrowed or {},
    )
    key = setting.clinic.clinic_key
    people = page_queries.patients(con, clinic_id, patient_ids)
    written = []
    size = 0
    for done, file in enumerate(page_queries.files(con, clinic_id, people, zone=time_zone.key), start=1):
        path = store.path_for_patient(key, file.patient.patient_id)
        size += store.write(path, patient_page(file, setting))
        written.append(path)
        if progress:
            progress(done, len(people))
    _remove_stale(store, key, written, patient_ids)
    clinic_page, list_size = _write_lists(con, store, setting)
    rows = clinic_rows(con, clinic_id, policy)
    size += store.write(store.path_for_export(key), clinic_csv(rows))
    size += store.write(store.path_for_export(key, "xlsx"), clinic_workbook(rows, setting))
    return PagesWritten(clinic_page, len(written), size + list_size)


def _remove_stale(store: ReportStore, key: str, written: list[Path], patient_ids: Sequence[str] | None) -> None:
    if patient_ids is None:
        store.keep_only(store.path_for_patient(key, "any").parent, written)
        return
    kept = set(written)
    for path in {store.path_for_patient(key, ident) for ident in patient_ids} - kept:
        path.unlink(missing_ok=True)


def _write_lists(con: duckdb.DuckDBPyConnection, store: ReportStore, setting: Setting) -> tuple[Path, int]:
    """The clinic's list and one per practitioner; pages left over from a longer list are removed."""
    key = setting.clinic.clinic_key
    people = lists.outlooks(page_queries.outlook(con, setting.clinic.clinic_id), setting)
    unlisted = max(0, page_queries.patient_count(con, setting.clinic.clinic_id) - len(people))
    by_practitioner = lists.practitioner_listings(people, setting)
    nav = [(f"practitioners/{file_id(ident)}.html", listing.title) for ident, listing in by_practitioner.items()]
    everyone = lists.Listing("All practitioners", "", "index", people)
    size, written = 0, []
    for page, html in enumerate(lists.pages(everyone, setting, unlisted=unlisted, clinic_nav=nav), start=1):
        written.append(store.path_for_clinic(key, page))
        size += store.write(written[-1], html)
    for ident, listing in by_practitioner.items():
        for page, html in enumerate(lists.pages(listing, setting, unlisted=0, clinic_nav=nav), start=1):
            written.append(store.path_for_practitioner(key, ident, page))
            size += store.write(written[-1], html)
    store.keep_only(written[0].parent, written)
    store.keep_only(store.path_for_practitioner(key, "any").parent, written)
    return written[0], size
