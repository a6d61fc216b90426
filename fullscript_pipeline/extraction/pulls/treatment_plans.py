"""Treatment plans: listed per patient, one request each, so only the due patients are read.

The first pull reads all patients. Later ones read new patients, those affected by events, orders, labs or a changed
record, and a rolling share of the others, so that each is read again within `sweep_days`: changes made through the API
raise no event. A plan whose patient was removed is fetched by id once: it may be gone too.

What does not belong here: which events affect a patient (`event_feeds`), a refresh's plans by id (`refresh`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
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
    """The patients whose plans are due, by reason: never read, affected by something, in the rolling share."""

    never_read: tuple[str, ...]
    affected: tuple[str, ...]
    rolling_share: tuple[str, ...]

    @property
    def all_ids(self) -> list[str]:
        return [*self.never_read, *self.affected, *self.rolling_share]


def pull_plans(
    target: Target, session: ClinicSession, touched_plans: Iterable[str], sweep_days: int = SWEEP_DAYS
) -> Report:
    """Pulls the plans of due patients, and by id the touched plans of others and those of removed patients."""
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
    """Pulls all plans of these patients, and `plans` by id. Details are read for incomplete rows only.

    `reread`: patients who had been read before; their changes without an event are counted as found by re-reading.
    `left`: removed patients, all of whose plans are in `plans`.
    """
    pull = Pull(target, "treatment_plans")
    try:
        walks = fetch_allowed(pull, _LIST, patients, partial(_walk, pull, session), any_stored=bool(reread))
        came = {line.id for line in pull.file.lines(_LIST)}
        denied = fetch_by_id(pull, session, TREATMENT_PLANS, [plan for plan in plans if plan not in came])
        gone = confirm_gone(pull, session, TREATMENT_PLANS, denied)
        incomplete = dict.fromkeys(line.id for line in pull.file.lines(_LIST) if lacks_recommendations(line))
        fetch_each(pull, session, "treatment_plan", incomplete, any_stored=bool(reread))
    except ScopeError as refusal:
        return pull.record_refusal(str(refusal))
    walked = [patient for patient, complete in walks.items() if complete]
    unread = incomplete.keys() - {line.id for line in pull.file.lines("treatment_plan")}
    load = Load(
        table=TREATMENT_PLANS,
        lines=_complete_plans(pull, session, unread),
        missing_among=rows_of("patient_id", walked),
        gone=gone,
        listed=came,
        unread=unread,
        refused=pull.summary.refused("treatment_plan"),
    )
    return _commit_plans(pull, load, read_patients=[*walked, *left], reread=reread)


def _commit_plans(pull: Pull, load: Load, *, read_patients: Sequence[str], reread: Sequence[str]) -> Report:
    """Stores the plans, whose patients were read, and how many changes of the `reread` ones had no event."""
    changes_without_event: list[int] = []

    def after(con: duckdb.DuckDBPyConnection) -> None:
        if reread:
            changes_without_event.append(_count_changes_without_event(con, reread))
        _record_plan_reads(con, pull, read_patients)
        # Plans are the last resource that a pull reads for its events.
        answer_unnamed(con)

    report = pull.commit(replace(load, after=after))
    if reread:
        pull.record_reread_changes(sum(changes_without_event))
    return report


def _complete_plans(pull: Pull, session: ClinicSession, unread: Collection[str]) -> Callable[[], Iterator[Line]]:
    """Returns the lines of the plans. One whose detail answers 404 (`unread`) stays as stored, or as listed."""
    read = {line.id for line in pull.file.lines("treatment_plan")}
    stored: dict[str, str] = {}
    if unread:
        with pull.target.warehouse.read() as con:
            stored = stored_hashes(con, TREATMENT_PLANS, session.clinic.clinic_id)

    def lines() -> Iterator[Line]:
        for line in pull.file.lines(_LIST):
            if line.id in unread:
                yield line._replace(hash=stored.get(line.id, line.hash))
            elif line.id not in read:
                yield line
        yield from pull.file.lines("treatment_plan")

    return lines


def due_patient_ids(con: duckdb.DuckDBPyConnection, clinic_id: str, sweep_days: int = SWEEP_DAYS) -> list[str]:
    """Returns the patients whose plans are due today."""
    return due_patients(con, clinic_id, sweep_days).all_ids


def due_patients(
    con: duckdb.DuckDBPyConnection, clinic_id: str, sweep_days: int = SWEEP_DAYS, view: View | None = None
) -> DuePatients:
    """Returns the due patients: never read, affected since their last read, or in the rolling share.

    A patient whose last reader could not see all that `view` does counts as never read. Affected: an order, a lab
    order, the patient's record or an event is newer than the last read. Rolling share: of the others the longest
    unread 1/`sweep_days`.
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
    """Returns stored plans of patients removed since their plans were last read, each with its patient."""
    rows = con.execute(
        """SELECT t.treatment_plan_id, t.patient_id FROM core.treatment_plans t
        JOIN core.patients p USING (clinic_id, patient_id) LEFT JOIN ops.patient_reads r USING (clinic_id, patient_id)
        WHERE clinic_id = ? AND t.removed_at IS NULL AND p.removed_at IS NOT NULL
        AND (r.plans_read_at IS NULL OR r.plans_read_at < p.removed_at) ORDER BY 1""",
        [clinic_id],
    ).fetchall()
    return dict(rows)


def lacks_recommendations(line: Line) -> bool:
    """Whether a plan was listed without its recommendations: then the detail has to be read."""
    if line.id.startswith(UNKEYED):
        return False
    complete = b'"recommendations"' in line.record and isinstance(
        orjson.loads(line.record).get("recommendations"), list
    )
    return not complete


def _walk(pull: Pull, session: ClinicSession, patient: str) -> bool:
    """Lands a patient's plans. Returns False when the patient is gone or the list is not complete."""
    try:
        return pull.walk(session, _LIST, path={"patient_id": patient}).complete
    except NotFound:
        return False


def _count_changes_without_event(con: duckdb.DuckDBPyConnection, patients: Sequence[str]) -> int:
    """Counts plans of these patients that this load added, changed or removed without a recent event."""
    (plans,) = con.execute(
        """SELECT count(*) FROM core.treatment_plans s, ctx WHERE s.clinic_id = getvariable('ctx').clinic_id
        AND (s.observed_at = ctx.observed_at OR s.removed_at = ctx.observed_at) AND s.patient_id IN $patients
        AND NOT EXISTS (
            SELECT 1 FROM core.events e
            WHERE e.clinic_id = getvariable('ctx').clinic_id AND e.resource_id = s.treatment_plan_id
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
        "INSERT INTO ops.patient_reads SELECT ?, unnest(?::VARCHAR[]), ?",
        [clinic_id, list(patients), pull.summary.observed_at],
    )
