"""Rebuilds a clinic's adherence rows and pages, for the daily run, a refresh and the command line.

What does not belong here: the measure (`adherence`) and the pages (`reports`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.adherence import build_adherence, mart_day, related_patients
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.duckdb_memory import memory_limit
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.maintenance import page_inputs
from fullscript_pipeline.maintenance.landing_retention import remove_old_landing
from fullscript_pipeline.maintenance.report_store import page_seal
from fullscript_pipeline.reports import (
    PageNotes,
    PagesWritten,
    PatientSnooze,
    ReportPolicy,
    ReportStore,
    archive_pages,
    load_page_context,
    write_adherence_pages,
    write_index,
)
from fullscript_pipeline.settings import Language, Settings
from fullscript_pipeline.state import StateStore, clinic_language, clinic_time_zone, pages_show_contact
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline.warehouse.loading import mass_deletion_guard, narrowings, pull_log, quarantine

MART_THREADS = 2


class _RollBack(Exception):
    """Rolls back a transaction whose rows were only needed for pages."""


@dataclass(frozen=True, kw_only=True)
class ClinicDay:
    """The clinic and the day that rows and pages are about, and the warehouse that they are made from."""

    settings: Settings
    warehouse: Warehouse
    clinic: ClinicRef
    day: date

    @property
    def is_over(self) -> bool:
        """Whether the partition of that day is closed: the marts and the pages people read show the present."""
        return not clock.cell_is_open(self.day, self.settings.time_zone)


def update_mart(clinic_day: ClinicDay) -> int:
    """As `rebuild_mart`, but writes no row when they were made from the same data before. Returns the clinic's rows."""
    settings, clinic = clinic_day.settings, clinic_day.clinic
    with clinic_day.warehouse.read() as con:
        digest = page_inputs.inputs_digest(con, settings, clinic, clinic_day.day)
        is_same = digest == page_inputs.stored_digest(settings, clinic, "rows")
        if is_same and mart_day(con, clinic.clinic_id) == clinic_day.day:
            (rows,) = con.execute(
                "SELECT count(*) FROM marts.adherence WHERE clinic_id = ?", [clinic.clinic_id]
            ).fetchone() or (0,)
            return int(rows)
    rows = rebuild_mart(clinic_day)
    page_inputs.store_digest(settings, clinic, "rows", digest)
    return int(rows)


def rebuild_mart(clinic_day: ClinicDay, patients: Sequence[str] | None = None) -> int:
    """Rows written, as of the end of the day; with `patients` only theirs. Raises UsageError for a day that is over."""
    if clinic_day.is_over:
        raise UsageError(
            f"{clinic_day.clinic.clinic_key}, {clinic_day.day}: the adherence rows show the present, and that day is "
            "over; its rows and pages go to a folder of their own with `fullscript-pipeline report adherence --as-of "
            f"{clinic_day.day}`."
        )
    with _mart_transaction(clinic_day) as con:
        return _build_mart(con, clinic_day, patients)


def rebuild_touched(clinic_day: ClinicDay, store: ReportStore, patients: Sequence[str]) -> PagesWritten:
    """Rows and pages after events: those patients', or everybody's when the clinic still stands at another day.

    A clinic has one as_of day, so that its page never mixes "late since yesterday" with "late since today". An order
    that names the plan of another person changes that person's rows too.
    """
    with clinic_day.warehouse.read() as con:
        is_current = mart_day(con, clinic_day.clinic.clinic_id) == clinic_day.day
        only = related_patients(con, clinic_day.clinic.clinic_id, patients) if is_current else None
    rebuild_mart(clinic_day, only)
    return rewrite_pages(clinic_day, store, only)


def update_pages(clinic_day: ClinicDay, store: ReportStore) -> PagesWritten:
    """As `rewrite_pages`, but writes no page when all are there and were made from the same data before."""
    settings, clinic = clinic_day.settings, clinic_day.clinic
    with clinic_day.warehouse.read() as con:
        seal = page_seal(settings)
        texts = _page_choices(clinic_day), _page_notes(con, clinic_day), *([seal.name] if seal else [])
        digest = page_inputs.inputs_digest(con, settings, clinic, day=clinic_day.day, choices=texts)
    if page_inputs.stored_digest(settings, clinic, "pages") == f"{digest} {store.count_pages(clinic.clinic_key)}":
        remove_old_landing(settings, clinic_day.warehouse, clinic=clinic_day.clinic)
        return PagesWritten(clinic_page=store.path_for_clinic(clinic.clinic_key), patient_pages=0, bytes=0)
    written = rewrite_pages(clinic_day, store)
    page_inputs.store_digest(settings, clinic, "pages", f"{digest} {store.count_pages(clinic.clinic_key)}")
    return written


def rewrite_pages(clinic_day: ClinicDay, store: ReportStore, patients: Sequence[str] | None = None) -> PagesWritten:
    """The clinic's page and its patients' pages from the mart; with `patients` only theirs and the clinic's."""
    settings, rendered_at = clinic_day.settings, clock.now()
    with clinic_day.warehouse.read() as con:
        written, names = _write_pages(con, store, clinic_day, rendered_at=rendered_at, patients=patients)
    today = clock.today(settings.time_zone)
    if patients is None and clinic_day.day == today:
        archive_pages(
            store, clinic_day.clinic.clinic_key, clinic_day.day, keep_days=settings.keep_pages_days, today=today
        )
        remove_old_landing(settings, clinic_day.warehouse, clinic=clinic_day.clinic)
    write_index(
        store,
        rendered_at=rendered_at,
        time_zone=settings.time_zone,
        clinic_names=names,
        language=settings.language,
    )
    return written


def write_past_pages(clinic_day: ClinicDay, store: ReportStore) -> PagesWritten:
    """The clinic's pages of a day that is over, in that day's own folder; what is read today stays as it is.

    The rows are made in a transaction that is undone, so the marts stay at the present; the rows of that day are in
    the folder's spreadsheet files.
    """
    zone, rendered_at, past_store = clinic_day.settings.time_zone, clock.now(), store.of_day(clinic_day.day)
    with suppress(_RollBack), _mart_transaction(clinic_day) as con:
        _build_mart(con, clinic_day, None)
        written, names = _write_pages(con, past_store, clinic_day, rendered_at=rendered_at, patients=None)
        raise _RollBack
    for target, past in ((past_store, clinic_day.day), (store, None)):
        write_index(
            target,
            rendered_at=rendered_at,
            time_zone=zone,
            clinic_names=names,
            past=past,
            language=clinic_day.settings.language,
        )
    return written


@contextmanager
def _mart_transaction(clinic_day: ClinicDay) -> Iterator[duckdb.DuckDBPyConnection]:
    """A transaction with room for a large clinic: more memory and threads than a step usually gets."""
    with clinic_day.warehouse.write() as con, memory_limit(con, f"{clinic_day.settings.mart_memory_mb}MB"):
        con.execute(f"SET threads = {MART_THREADS}")
        try:
            yield con
        finally:
            # After an error the transaction takes no more statements.
            with con.cursor() as cursor:
                cursor.execute("SET threads = 1")


def _build_mart(con: duckdb.DuckDBPyConnection, clinic_day: ClinicDay, patients: Sequence[str] | None) -> int:
    return build_adherence(
        con,
        clinic_day.clinic.clinic_id,
        clinic_day.day,
        patient_ids=patients,
        policy=clinic_day.settings.adherence,
        time_zone=clinic_day.settings.time_zone,
    )


@dataclass(frozen=True, kw_only=True)
class _PageChoices:
    """What the state store says of a clinic's pages."""

    language: Language
    time_zone: ZoneInfo
    shows_contact: bool
    snoozes: dict[str, PatientSnooze]


def _page_choices(clinic_day: ClinicDay) -> _PageChoices:
    """A page of an earlier day shows no snoozes: it was nobody's call list then."""
    settings, clinic = clinic_day.settings, clinic_day.clinic
    with StateStore.open(settings) as store:
        snoozes = (
            store.snoozes.current(clinic, clinic_day.day) if clinic_day.day == clock.today(settings.time_zone) else []
        )
        return _PageChoices(
            language=clinic_language(settings, store.choices, clinic),
            time_zone=clinic_time_zone(settings, store.choices, clinic),
            shows_contact=pages_show_contact(settings, store.facts),
            snoozes={snooze.patient_id: PatientSnooze(until=snooze.until, note=snooze.note) for snooze in snoozes},
        )


def _page_notes(con: duckdb.DuckDBPyConnection, clinic_day: ClinicDay) -> PageNotes:
    clinic_id = clinic_day.clinic.clinic_id
    return PageNotes(
        held_rows=mass_deletion_guard.held_rows(con, clinic_id),
        quarantined=quarantine.open_by_table(con, clinic_id),
        access_refused=pull_log.refused_tables(con, clinic_id),
        narrowed={narrowing.table: narrowing.full_at for narrowing in narrowings(con, clinic_id)},
    )


def _write_pages(
    con: duckdb.DuckDBPyConnection,
    store: ReportStore,
    clinic_day: ClinicDay,
    *,
    rendered_at: datetime,
    patients: Sequence[str] | None,
) -> tuple[PagesWritten, dict[str, str]]:
    """The pages, and the names of all clinics by key."""
    clinic_id, choices = clinic_day.clinic.clinic_id, _page_choices(clinic_day)
    context = load_page_context(
        con,
        clinic_id=clinic_id,
        as_of=clinic_day.day,
        rendered_at=rendered_at,
        language=choices.language,
        time_zone=choices.time_zone,
        shows_contact=choices.shows_contact,
        last_pull_at=pull_log.last_full_loads(con).get(clinic_id),
        notes=_page_notes(con, clinic_day),
        policy=ReportPolicy.of(clinic_day.settings.adherence),
    )
    written = write_adherence_pages(con, store, context, snoozes=choices.snoozes, patient_ids=patients)
    names = con.execute("SELECT clinic_key, coalesce(name, clinic_key) FROM core.clinics").fetchall()
    return written, dict(names)
