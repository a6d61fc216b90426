"""The clinic itself, its people and its patients. What does not belong here: lists per patient (`treatment_plans`)."""

from collections.abc import Callable, Iterator, Mapping

import orjson

from fullscript_pipeline.api import ClinicSession, ScopeError
from fullscript_pipeline.extraction.engine import (
    SWEEP_DAYS,
    Load,
    Pull,
    Report,
    Target,
    events_answered_by_list,
    fetch_awaited,
    fetch_each,
    fetch_list_or_refusal,
)
from fullscript_pipeline.extraction.pulls import patient_relationships
from fullscript_pipeline.extraction.pulls.treatment_plans import due_patient_ids
from fullscript_pipeline.extraction.pulls.whole_lists import pull_whole_list
from fullscript_pipeline.resources.clinics import CLINICS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.people import PRACTITIONERS_RESOURCE, STAFF_RESOURCE
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse import UNKEYED, Line
from fullscript_pipeline.warehouse.event_log import awaited_objects
from fullscript_pipeline.warehouse.loading import EVERYTHING


def pull_clinic(target: Target, session: ClinicSession) -> Report:
    """GET /clinic."""
    pull = Pull(target, "clinics")
    try:
        pull.land_object(session, "clinic")
    except ScopeError as refusal:
        return pull.record_refusal(str(refusal))
    return pull.commit(Load(table=CLINICS, lines=pull.lines("clinic")))


def store_address_zone(target: Target, session: ClinicSession, store: StateStore) -> None:
    """Stores the time zone of the clinic's address. The API documents no address, so only `extra` can hold one."""
    query = "SELECT extra FROM core.clinics WHERE clinic_id = ? AND extra IS NOT NULL"
    with target.warehouse.read() as con:
        for (extra,) in con.execute(query, [session.clinic.clinic_id]).fetchall():
            store.choices.store_address_zone(session.clinic, orjson.loads(extra))


def pull_people(target: Target, session: ClinicSession) -> list[Report]:
    """Pulls the full lists of practitioners and staff."""
    return [
        pull_whole_list(target, session, PRACTITIONERS_RESOURCE),
        pull_whole_list(target, session, STAFF_RESOURCE),
    ]


def pull_patients(target: Target, session: ClinicSession, sweep_days: int = SWEEP_DAYS) -> Report:
    """Pulls every patient, dependents and archived ones included.

    A server may list names only. Then details are read of new patients, of those whose name or email changed, and of
    the day's rolling share (`treatment_plans.due_patient_ids`); the others stay as stored. A patient whose detail
    answers 404 stays as stored, or as listed. Records may also lack who depends on whom (`patient_relationships`).
    """
    pull = Pull(target, "patients")
    listing = fetch_list_or_refusal(pull, session, "patients", {"patient_type": "all"})
    if isinstance(listing, Report):
        return listing
    gone = fetch_awaited(pull, session, PATIENTS, listing.ids, is_complete=listing.complete)
    lines, unread = _complete_patients(pull, session, sweep_days, patient_count=len(listing.ids))
    return pull.commit(
        Load(
            table=PATIENTS,
            lines=lines,
            missing_among=EVERYTHING if listing.complete else None,
            gone=gone,
            listed=listing.ids,
            unread=unread,
            refused=pull.summary.refused("patient"),
            covers_events=listing.complete,
            answers=events_answered_by_list(pull, session, PATIENTS, listing),
        ),
        total_count=listing.total_count,
    )


def _complete_patients(
    pull: Pull, session: ClinicSession, sweep_days: int, *, patient_count: int
) -> tuple[Callable[[], Iterator[Line]], frozenset[str]]:
    """Returns the lines of the patients with details and relationships, and whose details were not read."""
    stored: dict[str, str] = {}
    read: set[str] = set()
    incomplete = {line.id: line for line in _listed(pull) if not line.id.startswith(UNKEYED) and has_names_only(line)}
    if incomplete:
        stored, fresh = _stored_patients(pull.target, session, incomplete, sweep_days)
        read = fetch_each(pull, session, "patient", sorted(incomplete.keys() - fresh), any_stored=bool(stored))

    def complete_lines() -> Iterator[Line]:
        yield from (line for line in _listed(pull) if line.id not in incomplete or line.id not in read | stored.keys())
        yield from pull.file.lines("patient")

    relationships = patient_relationships.infer_relationships(pull, session, complete_lines, patient_count)

    def lines() -> Iterator[Line]:
        yield from map(relationships.completed, complete_lines())
        as_stored = stored.keys() - read
        yield from (line._replace(hash=stored[line.id]) for line in _listed(pull) if line.id in as_stored)

    return lines, frozenset(incomplete.keys() - read)


def _listed(pull: Pull) -> Iterator[Line]:
    """Yields the rows of the full list, without those of the lists of dependents and guardians."""
    for request, lines in pull.file.records():
        if request.endpoint == "patients" and request.key.endswith("patient_type=all"):
            yield from lines


_NAMES = ("first_name", "last_name", "email")
# A listed row without any of these holds names only.
_BEYOND_NAMES = frozenset(
    {"date_of_birth", "gender", "discount", "total_discount", "mobile_number", "text_message_notification"}
    | {"archived", "metadata"}
)


def has_names_only(line: Line) -> bool:
    """Whether a patient's row holds names only: then the detail has to be read."""
    return _BEYOND_NAMES.isdisjoint(orjson.loads(line.record))


def _stored_patients(
    target: Target, session: ClinicSession, listed: Mapping[str, Line], sweep_days: int
) -> tuple[dict[str, str], set[str]]:
    """Returns the content hashes of stored patients, and which of them are listed unchanged and not due."""
    clinic_id = session.clinic.clinic_id
    with target.warehouse.read() as con:
        due = {*due_patient_ids(con, clinic_id, sweep_days), *awaited_objects(con, clinic_id, PATIENTS)}
        rows = con.execute(
            "SELECT patient_id, content_hash, first_name, last_name, email FROM core.patients "
            "WHERE clinic_id = ? AND removed_at IS NULL",
            [clinic_id],
        ).fetchall()
    stored = {patient: (digest, names) for patient, digest, *names in rows if patient in listed}
    fresh = {
        patient_id
        for patient_id, (_, names) in stored.items()
        if patient_id not in due and names == _names_in(listed[patient_id])
    }
    return {patient: digest for patient, (digest, _) in stored.items()}, fresh


def _names_in(line: Line) -> list[str | None]:
    record = orjson.loads(line.record)
    return [None if record.get(name) in (None, "") else str(record[name]) for name in _NAMES]
