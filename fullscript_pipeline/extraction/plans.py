"""Treatment plans: listed per patient, one request each, so only the patients that need it are read.

The first pull walks everybody. Later ones read who is new, whom events point at, and a rolling share of the rest, so
that everybody is read again within `SWEEP_DAYS`: changes made through the API raise no event.
"""

from collections.abc import Iterable, Sequence
from math import ceil

import duckdb

from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.extraction.pull import Load, Pull, Report, Target, absent, in_parallel
from fullscript_pipeline.warehouse.clinical import TREATMENT_PLANS

SWEEP_DAYS = 14


def pull_plans(target: Target, session: ClinicSession, touched_plans: Iterable[str]) -> Report:
    """Reads the due patients' plans, and by id the touched plans of everybody else."""
    assert target.clinic is not None  # noqa: S101 - plans exist only in clinic cells
    with target.warehouse.read() as con:
        due = patients_due(con, target.clinic.clinic_id)
    return read_plans(target, session, due, list(dict.fromkeys(touched_plans)))


def read_plans(target: Target, session: ClinicSession, patients: Sequence[str], plans: Sequence[str]) -> Report:
    """Reads all plans of these patients, and these plans by id; detail only for rows that came thin."""
    pull = Pull(target, "treatment_plans")
    try:
        walked = [patient for patient in in_parallel(lambda one: _walk(pull, session, one), patients) if patient]
        pull.fill_thin_rows(session, "patient_treatment_plans", "treatment_plan", "recommendations")
        came = {line.id for line in pull.file.lines("patient_treatment_plans")}
        wanted = [plan for plan in plans if plan not in came]
        gone = absent(wanted, in_parallel(lambda plan: pull.one(session, "treatment_plan", plan), wanted))
    except ScopeError as refusal:
        return pull.not_available(str(refusal))

    lines = pull.whole_rows("patient_treatment_plans", "treatment_plan", "recommendations")
    among = _among_patients(walked)
    return pull.commit(Load(TREATMENT_PLANS, lines, among, gone, after=lambda con: _note_read(con, pull, walked)))


def patients_due(con: duckdb.DuckDBPyConnection, clinic_id: str) -> list[str]:
    """Patients never read, and those whose turn it is: the longest unread share of 1/SWEEP_DAYS."""
    rows = con.execute(
        "SELECT p.patient_id, r.plans_read_at FROM core.patients p LEFT JOIN ops.patient_reads r "
        "USING (clinic_id, patient_id) WHERE p.clinic_id = ? AND p.removed_at IS NULL "
        "ORDER BY r.plans_read_at NULLS FIRST, p.patient_id",
        [clinic_id],
    ).fetchall()
    never = [patient for patient, read_at in rows if read_at is None]
    known = [patient for patient, read_at in rows if read_at is not None]
    return never + known[: ceil(len(known) / SWEEP_DAYS)]


def _walk(pull: Pull, session: ClinicSession, patient: str) -> str | None:
    """The patient's id once all pages are landed; None when the patient is gone or the list moved under us."""
    try:
        listing = pull.walk(session, "patient_treatment_plans", path={"patient_id": patient})
    except NotFound:
        return None
    return patient if listing.complete else None


def _among_patients(patients: Sequence[str]) -> str | None:
    if not patients:
        return None
    return "s.patient_id IN (" + ", ".join("'" + patient.replace("'", "''") + "'" for patient in patients) + ")"


def _note_read(con: duckdb.DuckDBPyConnection, pull: Pull, patients: Sequence[str]) -> None:
    if not patients or pull.target.clinic is None:
        return
    clinic_id = pull.target.clinic.clinic_id
    con.execute("DELETE FROM ops.patient_reads WHERE clinic_id = ? AND patient_id IN ?", [clinic_id, list(patients)])
    con.execute(
        "INSERT INTO ops.patient_reads SELECT ?, unnest(?::VARCHAR[]), ?", [clinic_id, list(patients), pull.observed_at]
    )
