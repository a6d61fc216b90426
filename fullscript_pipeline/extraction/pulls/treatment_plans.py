"""Treatment plans: listed per patient, one request each, so only the patients that need it are read.

The first pull walks everybody. Later ones read who is new, whom events, orders, labs or their own changed record point
at, and a rolling share of the rest, so that everybody is read again within `sweep_days`: changes made through the API
raise no event. Whose patient is listed no more is asked for by id, once: it may have gone with the patient.

What does not belong here: which events touch a patient (`event_feeds`), plans that a refresh reads by id (`refresh`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import duckdb
import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.extraction.engine import (
    SWEEP_DAYS,
    Load,
    Pull,
    Report,
    Target,
    confirm_gone,
    fetch_allowed,
    fetch_by_id,
    fetch_each,
    record_reread_changes,
    session_view,
)
from fullscript_pipeline.ids import is_requestable
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.warehouse import UNKEYED, Line, stored_hashes
from fullscript_pipeline.warehouse.event_log import answer_unnamed
from fullscript_pipeline.warehouse.loading import View, pull_log, rows_of

_LIST = "patient_treatment_plans"

__all__ = ["SWEEP_DAYS", "DuePatients", "due_patient_ids", "due_patients", "fetch_plans", "pull_plans"]


@dataclass(frozen=True, kw_only=True)
class DuePatients:
    """The patients whose plans are to be read, by why: never read, touched by something, their turn."""

    never_read: tuple[str, ...]
    affected: tuple[str, ...]
    rolling_share: tuple[str, ...]

    @property
    def all_ids(self) -> list[str]:
        return [*self.never_read, *self.affected, *self.rolling_share]


def pull_plans(
    target: Target, session: ClinicSession, touched_plans: Iterable[str], sweep_days: int = SWEEP_DAYS
) -> Report:
    """Reads the due patients' plans, and by id the touched plans of everybody else and those of who left the list."""
    with target.warehouse.read() as con:
        due = due_patients(con, session.clinic.clinic_id, sweep_days, session_view(session))
        left = _plans_of_departed_patients(con, session.clinic.clinic_id)
    by_id = list(dict.fromkeys([*touched_plans, *left]))
    return fetch_plans(
        target, session, due.all_ids, by_id, reread=(*due.affected, *due.rolling_share), left=set(left.values())
    )


def fetch_plans(
    target: Target,
    session: ClinicSession,
    patients: Sequence[str],
    plans: Sequence[str],
    reread: Sequence[str] = (),
    left: Iterable[str] = (),
) -> Report:
    """Reads all plans of these patients, and these plans by id; detail only for rows that came thin.

    `swept`: those of the patients who had been read before; what changed there and no event is about is counted as
    found by re-reading only. `left`: patients who are listed no more, all of whose plans are in `plans`. Plans are the
    last thing a pull reads for its events: what names no object is answered here, if it can be.
    """
    pull = Pull(target, "treatment_plans")
    try:
        known = bool(reread)
        walks = fetch_allowed(pull, _LIST, patients, lambda patient: _walk(pull, session, patient), any_stored=known)
        walked = [patient for patient, complete in walks.items() if complete]
        came = {line.id for line in pull.file.lines(_LIST)}
        denied = fetch_by_id(pull, session, TREATMENT_PLANS, [plan for plan in plans if plan not in came])
        gone = confirm_gone(pull, session, TREATMENT_PLANS, denied)
        incomplete = dict.fromkeys(line.id for line in pull.file.lines(_LIST) if lacks_recommendations(line))
        fetch_each(pull, session, "treatment_plan", incomplete, any_stored=known)
    except ScopeError as refusal:
        return pull.record_refusal(str(refusal))

    read = {line.id for line in pull.file.lines("treatment_plan")}
    unread = incomplete.keys() - read
    stored: dict[str, str] = {}
    if unread:
        with target.warehouse.read() as con:
            stored = stored_hashes(con, TREATMENT_PLANS, session.clinic.clinic_id)

    def lines() -> Iterator[Line]:
        """Whose detail is denied stands as it is stored, or as it was listed."""
        for line in pull.file.lines(_LIST):
            if line.id in unread:
                yield line._replace(hash=stored.get(line.id, line.hash))
            elif line.id not in read:
                yield line
        yield from pull.file.lines("treatment_plan")

    changes_without_event: list[int] = []

    def after(con: duckdb.DuckDBPyConnection) -> None:
        if reread:
            changes_without_event.append(_count_changes_without_event(con, reread))
        _record_plan_reads(con, pull, [*walked, *left])
        answer_unnamed(con)

    report = pull.commit(
        Load(
            table=TREATMENT_PLANS,
            lines=lines,
            missing_among=rows_of("patient_id", walked),
            gone=gone,
            listed={line.id for line in pull.file.lines(_LIST)},
            unread=unread,
            refused=pull.refused("treatment_plan"),
            after=after,
        )
    )
    if reread:
        record_reread_changes(pull, sum(changes_without_event))
    return report


def due_patient_ids(con: duckdb.DuckDBPyConnection, clinic_id: str, sweep_days: int = SWEEP_DAYS) -> list[str]:
    """Everybody whose plans are to be read today."""
    return due_patients(con, clinic_id, sweep_days).all_ids


def due_patients(
    con: duckdb.DuckDBPyConnection, clinic_id: str, sweep_days: int = SWEEP_DAYS, view: View | None = None
) -> DuePatients:
    """Patients never read; those whom something that arrived since then points at; and those whose turn it is.

    A patient read last by somebody who may not see all that `view` does counts as never read.

    What points at a patient: an order or a lab order of theirs, their own record, an event about them. Whose turn: of
    the rest the longest unread share of 1/`sweep_days`.
    """
    lesser = pull_log.narrower_reads(con, clinic_id, "treatment_plans", view) if view else []
    rows = con.execute(
        """SELECT p.patient_id, r.plans_read_at IS NULL OR list_contains($lesser, r.plans_read_at),
            coalesce(p.observed_at > r.plans_read_at, false)
            OR EXISTS (SELECT 1 FROM core.orders o WHERE o.clinic_id = p.clinic_id AND o.patient_id = p.patient_id
                AND o.observed_at > r.plans_read_at)
            OR EXISTS (SELECT 1 FROM core.lab_orders o WHERE o.clinic_id = p.clinic_id
                AND o.patient_id = p.patient_id AND o.observed_at > r.plans_read_at)
            OR EXISTS (SELECT 1 FROM core.events e WHERE e.clinic_id = p.clinic_id
                AND e.resource_id = p.patient_id AND e.observed_at > r.plans_read_at)
        FROM core.patients p LEFT JOIN ops.patient_reads r USING (clinic_id, patient_id)
        WHERE p.clinic_id = $clinic AND p.removed_at IS NULL ORDER BY r.plans_read_at NULLS FIRST, p.patient_id""",
        {"clinic": clinic_id, "lesser": lesser},
    ).fetchall()
    rows = [row for row in rows if is_requestable(row[0])]
    never = tuple(patient for patient, is_new, _ in rows if is_new)
    touched = tuple(patient for patient, is_new, is_touched in rows if is_touched and not is_new)
    turn = [patient for patient, is_new, is_touched in rows if not is_new and not is_touched]
    share = ceil((len(rows) - len(never)) / sweep_days)
    return DuePatients(never_read=never, affected=touched, rolling_share=tuple(turn[:share]))


def _plans_of_departed_patients(con: duckdb.DuckDBPyConnection, clinic_id: str) -> dict[str, str]:
    """Plans that are there, of patients who were found gone since their plans were read; the patient by the plan."""
    rows = con.execute(
        """SELECT t.treatment_plan_id, t.patient_id FROM core.treatment_plans t
        JOIN core.patients p USING (clinic_id, patient_id) LEFT JOIN ops.patient_reads r USING (clinic_id, patient_id)
        WHERE clinic_id = ? AND t.removed_at IS NULL AND p.removed_at IS NOT NULL
        AND (r.plans_read_at IS NULL OR r.plans_read_at < p.removed_at) ORDER BY 1""",
        [clinic_id],
    ).fetchall()
    return dict(rows)


def lacks_recommendations(line: Line) -> bool:
    """Whether a plan was listed without its recommendations, so that the detail has to be read."""
    if line.id.startswith(UNKEYED):
        return False
    whole = b'"recommendations"' in line.record and isinstance(orjson.loads(line.record).get("recommendations"), list)
    return not whole


def _walk(pull: Pull, session: ClinicSession, patient: str) -> bool:
    """Whether all the patient's plans are landed: False when the patient is gone or the list moved under us."""
    try:
        return pull.walk(session, _LIST, path={"patient_id": patient}).complete
    except NotFound:
        return False


def _count_changes_without_event(con: duckdb.DuckDBPyConnection, patients: Sequence[str]) -> int:
    """Plans of these patients that this load added, changed or found gone, and that no recent event is about."""
    (plans,) = con.execute(
        """SELECT count(*) FROM core.treatment_plans s, ctx WHERE s.clinic_id = ctx.clinic_id
        AND (s.observed_at = ctx.observed_at OR s.removed_at = ctx.observed_at) AND s.patient_id IN $patients
        AND NOT EXISTS (
            SELECT 1 FROM core.events e WHERE e.clinic_id = s.clinic_id AND e.resource_id = s.treatment_plan_id
            AND e.created_at >= (SELECT max(r.plans_read_at) FROM ops.patient_reads r
                WHERE r.clinic_id = s.clinic_id AND r.patient_id = s.patient_id) - INTERVAL 2 DAY)""",
        {"patients": list(patients)},
    ).fetchone() or (0,)
    return int(plans)


def _record_plan_reads(con: duckdb.DuckDBPyConnection, pull: Pull, patients: Sequence[str]) -> None:
    if not patients or pull.target.clinic is None:
        return
    clinic_id = pull.target.clinic.clinic_id
    con.execute("DELETE FROM ops.patient_reads WHERE clinic_id = ? AND patient_id IN ?", [clinic_id, list(patients)])
    con.execute(
        "INSERT INTO ops.patient_reads SELECT ?, unnest(?::VARCHAR[]), ?", [clinic_id, list(patients), pull.observed_at]
    )
