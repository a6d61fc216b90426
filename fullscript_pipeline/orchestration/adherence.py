"""Rebuilding a clinic's adherence rows and pages: the same for the daily run, a refresh and the command line.

What does not belong here: the measure (`adherence`) and the pages (`reports`).
"""

from collections.abc import Sequence
from datetime import date

from fullscript_pipeline import clock
from fullscript_pipeline.adherence import build_adherence, mart_day
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.reports import (
    PagesWritten,
    ReportPolicy,
    ReportStore,
    keep_pages,
    write_adherence_pages,
    write_index,
)
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.warehouse import pulls
from fullscript_pipeline.warehouse.connection import Warehouse


def rebuild_mart(warehouse: Warehouse, clinic: ClinicRef, day: date, patients: Sequence[str] | None = None) -> int:
    """Rows written, as of the end of `day`; with `patients` only theirs."""
    settings = load_settings()
    with warehouse.write() as con:
        return build_adherence(
            con,
            clinic.clinic_id,
            day,
            patient_ids=patients,
            policy=settings.adherence,
            time_zone=settings.time_zone,
        )


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
        written = write_adherence_pages(
            con,
            store,
            clinic_id=clinic.clinic_id,
            as_of=day,
            rendered_at=rendered_at,
            time_zone=settings.time_zone,
            last_pull_at=pulls.last_loaded(con, clinic.clinic_id, "orders"),
            patient_ids=patients,
            policy=ReportPolicy.of(settings.adherence),
        )
        names = dict(con.execute("SELECT clinic_key, coalesce(name, clinic_key) FROM core.clinics").fetchall())
    today = clock.today(settings.time_zone)
    # A past day written again is not what was read on that day.
    if patients is None and day == today:
        keep_pages(store, clinic.clinic_key, day, keep_days=settings.keep_pages_days, today=today)
    write_index(store, rendered_at=rendered_at, time_zone=settings.time_zone, clinic_names=names)
    return written
