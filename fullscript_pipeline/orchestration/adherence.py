"""Rebuilding a clinic's adherence rows and pages: the same for the daily run, a refresh and the command line.

What does not belong here: the measure (`adherence`) and the pages (`reports`).
"""

from collections.abc import Sequence
from datetime import date

from fullscript_pipeline import clock
from fullscript_pipeline.adherence import build_adherence
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.reports import PagesWritten, ReportStore, write_adherence_pages, write_index
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.warehouse import pulls
from fullscript_pipeline.warehouse.connection import Warehouse


def rebuild_mart(warehouse: Warehouse, clinic: ClinicRef, day: date, patients: Sequence[str] | None = None) -> int:
    """Rows written, as of the end of `day`; with `patients` only theirs."""
    with warehouse.write() as con:
        return build_adherence(
            con, clinic.clinic_id, day, patient_ids=patients, time_zone=load_settings().time_zone
        )


def rewrite_pages(
    warehouse: Warehouse,
    store: ReportStore,
    clinic: ClinicRef,
    day: date,
    patients: Sequence[str] | None = None,
) -> PagesWritten:
    """The clinic's page and its patients' pages from the mart; with `patients` only theirs and the clinic's."""
    rendered_at, time_zone = clock.now(), load_settings().time_zone
    with warehouse.read() as con:
        written = write_adherence_pages(
            con,
            store,
            clinic_id=clinic.clinic_id,
            as_of=day,
            rendered_at=rendered_at,
            time_zone=time_zone,
            last_pull_at=pulls.last_loaded(con, clinic.clinic_id, "orders"),
            patient_ids=patients,
        )
        names = dict(con.execute("SELECT clinic_key, coalesce(name, clinic_key) FROM core.clinics").fetchall())
    write_index(store, rendered_at=rendered_at, time_zone=time_zone, clinic_names=names)
    return written
