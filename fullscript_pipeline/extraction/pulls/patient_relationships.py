"""Infers who depends on whom from the lists of dependents and guardians, where patient records do not say.

Records mostly lack `is_dependent`. Then one list of dependents says it for all patients; their guardians take one
request per guardian, the first time and then for a rolling share. What does not belong here: listing patients
(`clinic`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, RequestRefused, ScopeError
from fullscript_pipeline.extraction.engine import SWEEP_DAYS, Pull, in_parallel
from fullscript_pipeline.resources.patients import GUARDIAN
from fullscript_pipeline.warehouse import UNKEYED, Line, canonical, content_hash

# As the warehouse parses a flag.
_YES = frozenset({"true", "t", "yes", "y", "on", "1"})
_NO = frozenset({"false", "f", "no", "n", "off", "0"})


@dataclass(frozen=True, kw_only=True)
class Relationships:
    """Dependents and their guardians. `dependents`: None when the records say it, or nothing does."""

    dependents: frozenset[str] | None = None
    guardian_of: Mapping[str, str] = field(default_factory=dict)

    def completed(self, line: Line) -> Line:
        """Returns the patient's line with the fields that the record lacks."""
        guardian = self.guardian_of.get(line.id)
        if self.dependents is None and guardian is None:
            return line
        record = orjson.loads(line.record)
        if self.dependents is not None and record.get("is_dependent") in (None, ""):
            record["is_dependent"] = line.id in self.dependents
        is_independent = str(record.get("is_dependent")).strip().lower() in _NO
        if guardian is not None and not is_independent and not _names_guardian(record):
            record["guardian_patient_id"] = guardian
        text = canonical(record)
        return line._replace(record=text, hash=content_hash(text))


def infer_relationships(
    pull: Pull, session: ClinicSession, patients: Callable[[], Iterator[Line]], everybody: int
) -> Relationships:
    """Infers what the records of `everybody` patients lack. Sends no request when they lack nothing."""
    silent: set[str] = set()
    unguarded: set[str] = set()
    guarded: set[str] = set()
    for line in patients():
        record = orjson.loads(line.record)
        if record.get("is_dependent") in (None, ""):
            silent.add(line.id)
        if _names_guardian(record):
            guarded.add(line.id)
        elif str(record.get("is_dependent")).strip().lower() in _YES:
            unguarded.add(line.id)
    try:
        dependents = _list_ids_of_type(pull, session, "dependent", everybody) if silent else None
        unguarded |= {
            patient_id for patient_id in dependents or () if patient_id in silent and patient_id not in guarded
        }
        return Relationships(
            dependents=None if dependents is None else frozenset(dependents),
            guardian_of=_find_guardians(pull, session, unguarded, everybody) if unguarded else {},
        )
    except (ScopeError, NotFound, RequestRefused):
        return Relationships()


def find_former_dependents(
    pull: Pull, session: ClinicSession, tied: Mapping[str, str | None], everybody: int
) -> set[str]:
    """Returns which of these dependents (with their guardians) are no dependents any more.

    The list of dependents lacks them, or, on a server that ignores that filter, their guardian's own list does. A list
    that cannot be read proves nothing."""
    try:
        listing = pull.walk(session, "patients", params={"patient_type": "dependent"})
        if listing.complete and len(listing.ids) < everybody:
            return tied.keys() - set(listing.ids)
    except (ScopeError, NotFound, RequestRefused):
        pass
    guardians = {patient: guardian for patient, guardian in tied.items() if guardian}
    return {
        patient for patient, guardian in guardians.items() if _guardian_list_lacks(pull, session, guardian, patient)
    }


def _guardian_list_lacks(pull: Pull, session: ClinicSession, guardian: str, patient: str) -> bool:
    try:
        listing = pull.walk(session, "patient_dependents", path={"patient_id": guardian})
    except (ScopeError, NotFound, RequestRefused):
        return False
    return listing.complete and patient not in listing.ids


def _names_guardian(record: Mapping[str, Any]) -> bool:
    for path in GUARDIAN:
        name, _, key = path.partition(".")
        value = record.get(name)
        if key:
            value = value.get(key) if isinstance(value, dict) else None
        if value not in (None, ""):
            return True
    return False


def _list_ids_of_type(pull: Pull, session: ClinicSession, kind: str, everybody: int) -> set[str] | None:
    """Returns the ids of a type; None when the server seems to ignore the filter and lists all patients."""
    listed = set(pull.walk(session, "patients", params={"patient_type": kind}).ids)
    return listed if len(listed) < everybody else None


def _find_guardians(pull: Pull, session: ClinicSession, orphans: set[str], everybody: int) -> dict[str, str]:
    """Returns the guardian of each of these dependents, as far as known."""
    listed = _list_ids_of_type(pull, session, "guardian", everybody) or ()
    guardians = sorted(patient for patient in listed if not patient.startswith(UNKEYED))
    with pull.target.warehouse.read() as con:
        rows = con.execute(
            "SELECT patient_id, guardian_patient_id FROM core.patients WHERE clinic_id = ? AND removed_at IS NULL "
            "AND is_dependent",
            [session.clinic.clinic_id],
        ).fetchall()
    before = {patient: guardian for patient, guardian in rows if guardian in guardians}
    if orphans <= {patient for patient, _ in rows}:
        guardians = guardians[pull.target.day.toordinal() % SWEEP_DAYS :: SWEEP_DAYS]
    known = _refresh_guardians(pull, session, guardians, before)
    return {patient: guardian for patient, guardian in known.items() if patient in orphans}


def _refresh_guardians(
    pull: Pull, session: ClinicSession, guardians: list[str], stored: dict[str, str]
) -> dict[str, str]:
    """Returns `stored`, updated from these guardians' own lists."""

    def dependents(guardian: str) -> tuple[str, ...]:
        try:
            return pull.walk(session, "patient_dependents", path={"patient_id": guardian}).ids
        except NotFound:
            return ()

    lists = in_parallel(dependents, guardians)
    unchanged = {patient: guardian for patient, guardian in stored.items() if guardian not in guardians}
    return unchanged | {
        patient: guardian for guardian, listed in zip(guardians, lists, strict=True) for patient in listed
    }
