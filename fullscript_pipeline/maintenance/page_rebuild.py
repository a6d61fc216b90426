"""Rebuilding a clinic's adherence rows and pages: the same for the daily run, a refresh and the command line.

What does not belong here: the measure (`adherence`) and the pages (`reports`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime

import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.adherence import build_adherence, mart_day
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.duckdb_memory import memory_limit
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.reports import (
    PagesWritten,
    ReportPolicy,
    ReportStore,
    archive_pages,
    write_adherence_pages,
    write_index,
)
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline.warehouse.files import tidy_landing
from fullscript_pipeline.warehouse.loading import mass_deletion_guard, narrowings, pull_log, quarantine

MART_THREADS = 2


class _RollBack(Exception):
    """Ends a transaction whose rows were only needed for pages."""


def is_past_day(day: date) -> bool:
    """Whether a cell of that day is closed: the marts and the pages people read stand at the present."""
    return not clock.cell_is_open(day, load_settings().time_zone)


def rebuild_mart(warehouse: Warehouse, clinic: ClinicRef, day: date, patients: Sequence[str] | None = None) -> int:
    """Rows written, as of the end of `day`; with `patients` only theirs. Raises UsageError for a day that is over."""
    if is_past_day(day):
        raise UsageError(
            f"{clinic.clinic_key}, {day}: the adherence rows show the present, and that day is over; its rows and "
            f"pages go to a folder of their own with `fullscript-pipeline report adherence --as-of {day}`."
        )
    with _mart_transaction(warehouse) as con:
        return _build_mart(con, load_settings(), clinic, day, patients)


def rebuild_touched(
    warehouse: Warehouse, store: ReportStore, clinic: ClinicRef, day: date, patients: Sequence[str]
) -> PagesWritten:
    """Rows and pages after events: those patients', or everybody's when the clinic still stands at another day.

    A clinic has one as_of day, so that its page never mixes "late since yesterday" with "late since today".
    """
    with warehouse.read() as con:
        only = list(patients) if mart_day(con, clinic.clinic_id) == day else None
    rebuild_mart(warehouse, clinic, day, only)
    return rewrite_pages(warehouse, store, clinic, day, only)


def rewrite_pages(
    warehouse: Warehouse,
    store: ReportStore,
    clinic: ClinicRef,
    day: date,
    patients: Sequence[str] | None = None,
) -> PagesWritten:
    """The clinic's page and its patients' pages from the mart; with `patients` only theirs and the clinic's."""
    settings, rendered_at = load_settings(), clock.now()
    with warehouse.read() as con:
        written, names = _write_pages(con, store, settings, clinic, day, rendered_at, patients)
    today = clock.today(settings.time_zone)
    if patients is None and day == today:
        archive_pages(store, clinic.clinic_key, day, keep_days=settings.keep_pages_days, today=today)
        tidy_landing(settings.landing_dir, settings.keep_landing_days, today)
    write_index(store, rendered_at=rendered_at, time_zone=settings.time_zone, clinic_names=names)
    return written


def write_past_pages(warehouse: Warehouse, store: ReportStore, clinic: ClinicRef, day: date) -> PagesWritten:
    """The clinic's pages of a day that is over, in that day's own folder; what is read today stays as it is.

    The rows are made in a transaction that is undone, so the marts stay at the present; the rows of that day are in
    the folder's spreadsheet files.
    """
    settings, rendered_at, past_store = load_settings(), clock.now(), store.of_day(day)
    with suppress(_RollBack), _mart_transaction(warehouse) as con:
        _build_mart(con, settings, clinic, day, None)
        written, names = _write_pages(con, past_store, settings, clinic, day, rendered_at, None)
        raise _RollBack
    for target, past in ((past_store, day), (store, None)):
        write_index(target, rendered_at=rendered_at, time_zone=settings.time_zone, clinic_names=names, past=past)
    return written


@contextmanager
def _mart_transaction(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """A transaction with room for a large clinic: more memory and threads than a step usually gets."""
    with warehouse.write() as con, memory_limit(con, f"{load_settings().mart_memory_mb}MB"):
        con.execute(f"SET threads = {MART_THREADS}")
        try:
            yield con
        finally:
            # After an error the transaction takes no more statements.
            with con.cursor() as cursor:
                cursor.execute("SET threads = 1")


def _build_mart(
    con: duckdb.DuckDBPyConnection, settings: Settings, clinic: ClinicRef, day: date, patients: Sequence[str] | None
) -> int:
    return build_adherence(
        con,
        clinic.clinic_id,
        day,
        patient_ids=patients,
        policy=settings.adherence,
        time_zone=settings.time_zone,
    )


def _write_pages(
    con: duckdb.DuckDBPyConnection,
    store: ReportStore,
    settings: Settings,
    clinic: ClinicRef,
    day: date,
    rendered_at: datetime,
    patients: Sequence[str] | None,
) -> tuple[PagesWritten, dict[str, str]]:
    """The pages, and the names of all clinics by key."""
    written = write_adherence_pages(
        con,
        store,
        clinic_id=clinic.clinic_id,
        as_of=day,
        rendered_at=rendered_at,
        time_zone=settings.time_zone,
        last_pull_at=pull_log.last_full_loads(con).get(clinic.clinic_id),
        held_rows=mass_deletion_guard.held_rows(con, clinic.clinic_id),
        quarantined=quarantine.open_by_table(con, clinic.clinic_id),
        access_refused=pull_log.refused_tables(con, clinic.clinic_id),
        narrowed={narrowing.table: narrowing.full_at for narrowing in narrowings(con, clinic.clinic_id)},
        patient_ids=patients,
        policy=ReportPolicy.of(settings.adherence),
    )
    names = con.execute("SELECT clinic_key, coalesce(name, clinic_key) FROM core.clinics").fetchall()
    return written, dict(names)
