"""What `report snooze` does: sets a patient aside from the call list, lists or removes snoozes, rewrites the list.

What does not belong here: the options (`cli.report`), storing a snooze (`state.snoozes`), showing one (`reports`).
"""

from collections.abc import Sequence
from datetime import date, timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.adherence import mart_day
from fullscript_pipeline.cli.audited import STANDARD_OUTPUT, DataSubjects, audit_logged
from fullscript_pipeline.cli.clinic_selection import select_clinics
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.maintenance import open_report_store, open_warehouse
from fullscript_pipeline.maintenance.page_rebuild import ClinicDay, rewrite_pages
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, Snooze, StateStore
from fullscript_pipeline.warehouse import Warehouse

_COMMAND = "report snooze"
# A patient must not be forgotten for years; a note is a reminder, not a record.
LONGEST_DAYS, LONGEST_NOTE = 366, 300


def snooze_patient(settings: Settings, clinic_name: str, patient_id: str, until: date, note: str | None) -> int:
    """Takes the patient off the call list until that day, and rewrites the clinic's pages."""
    settings.prepare_data_dir()
    today = clock.today(settings.time_zone)
    if not today < until <= today + timedelta(days=LONGEST_DAYS):
        raise UsageError(f"--until {until} must lie after today, {today}, and at most {LONGEST_DAYS} days from it.")
    plain = " ".join((note or "").split())
    if len(plain) > LONGEST_NOTE:
        raise UsageError(f"The note has {len(plain)} characters; {LONGEST_NOTE} are the most.")
    with StateStore.open(settings) as store:
        clinic = store.clinics.find(clinic_name)
        warehouse = open_warehouse(settings)
        _require_patient(warehouse, clinic, patient_id)
        with audit_logged(settings, _COMMAND, whose=DataSubjects(clinics=[clinic], patient_id=patient_id)):
            store.snoozes.add(clinic, Snooze(patient_id=patient_id, until=until, note=plain or None), today)
    print_message(f"Patient {patient_id} of {clinic.clinic_key} is off the call list until {until}.", bold=True)
    _rewrite_list(settings, warehouse, clinic)
    return 0


def remove_snooze(settings: Settings, clinic_name: str, patient_id: str) -> int:
    """Puts the patient back on the call list, and rewrites the clinic's pages."""
    settings.prepare_data_dir()
    with StateStore.open(settings) as store:
        clinic = store.clinics.find(clinic_name)
        with audit_logged(
            settings, f"{_COMMAND} --remove", whose=DataSubjects(clinics=[clinic], patient_id=patient_id)
        ):
            if not store.snoozes.remove(clinic, patient_id):
                raise UsageError(f"Patient {patient_id} of {clinic.clinic_key} is not snoozed: nothing was changed.")
    print_message(f"Patient {patient_id} of {clinic.clinic_key} is not snoozed any more.", bold=True)
    _rewrite_list(settings, open_warehouse(settings), clinic)
    return 0


def list_snoozes(settings: Settings, clinic_names: Sequence[str]) -> int:
    """Prints the snoozes of these clinics (none named: all), the first to end first."""
    settings.prepare_data_dir()
    today = clock.today(settings.time_zone)
    with StateStore.open(settings) as store:
        chosen = select_clinics(store, clinic_names)
        with audit_logged(
            settings, f"{_COMMAND} --list", whose=DataSubjects(clinics=chosen), destination=STANDARD_OUTPUT
        ) as record:
            rows = [
                (clinic.clinic_key, snooze.patient_id, snooze.until, snooze.note or "")
                for clinic in chosen
                for snooze in store.snoozes.current(clinic, today)
            ]
            record.rows = len(rows)
    if rows:
        print_data(format_columns(["clinic", "patient", "until", "note"], rows))
    else:
        print_message("Nobody is snoozed.")
    return 0


def _require_patient(warehouse: Warehouse, clinic: Clinic, patient_id: str) -> None:
    query = "SELECT 1 FROM core.patients WHERE clinic_id = ? AND patient_id = ? AND removed_at IS NULL"
    with warehouse.read() as con:
        if con.execute(query, [clinic.clinic_id, patient_id]).fetchone() is None:
            raise UsageError(
                f"The warehouse has no patient {patient_id} of {clinic.clinic_key}: use Fullscript's id, which "
                "call-list.xlsx has in its last column."
            )


def _rewrite_list(settings: Settings, warehouse: Warehouse, clinic: Clinic) -> None:
    """The clinic's lists once more, if there are any of today; those of another day are rewritten by its next run."""
    with warehouse.read() as con:
        day = mart_day(con, clinic.clinic_id)
    reports = open_report_store(settings)
    if day != clock.today(settings.time_zone) or clinic.clinic_key not in reports.clinic_keys():
        print_message("The call list shows it from the clinic's next daily pull on.")
        return
    its = ClinicDay(settings=settings, warehouse=warehouse, clinic=clinic, day=day)
    written = rewrite_pages(its, reports, patients=[])
    print_data(reports.address(written.clinic_page))
