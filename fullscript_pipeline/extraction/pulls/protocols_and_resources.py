"""Protocols and resources for re-use, ids of other systems, and webhook deliveries.

What does not belong here: plans of patients (`treatment_plans`), optional resources (`optional_resources`).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb
import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, RequestRefused, ScopeError
from fullscript_pipeline.extraction.engine import (
    SWEEP_DAYS,
    DetailSource,
    Load,
    Pull,
    Report,
    Target,
    complete_from_details,
    in_parallel,
)
from fullscript_pipeline.extraction.event_proof import object_id_in, store_event_objects
from fullscript_pipeline.ids import id_text, requestable_ids
from fullscript_pipeline.plural import counted
from fullscript_pipeline.resources.documents import PRACTITIONER_RESOURCES, RESOURCES
from fullscript_pipeline.resources.external_ids import EXTERNAL_IDS
from fullscript_pipeline.resources.people import PRACTITIONERS
from fullscript_pipeline.resources.protocols import PRACTITIONER_PROTOCOLS, PROTOCOLS
from fullscript_pipeline.resources.webhook_deliveries import WEBHOOK_DELIVERIES
from fullscript_pipeline.warehouse import NO_ID, Line, canonical, content_hash, record_key
from fullscript_pipeline.warehouse.loading import EVERYTHING, Among, open_by_table, pull_log

METADATA_TYPES = ("patient", "practitioner", "staff", "treatment_plan")
REFUSALS = (ScopeError, NotFound, RequestRefused)
# A day for the filter's undocumented edge, a day for its time zone.
OVERLAP = timedelta(days=2)


def pull_library(target: Target, session: ClinicSession, sweep_days: int = SWEEP_DAYS) -> list[Report]:
    """Pulls protocols, resources, external ids and webhook deliveries of a clinic."""
    return [
        pull_protocols(target, session, sweep_days),
        pull_resources(target, session),
        pull_external_ids(target, session),
        pull_deliveries(target, session),
    ]


def pull_protocols(target: Target, session: ClinicSession, sweep_days: int = SWEEP_DAYS) -> Report:
    """Pulls Fullscript's protocols, and each practitioner's: their own and those shared with them."""
    pull = Pull(target, "protocols")
    walked = _walk_paired_lists(
        pull,
        session,
        of_fullscript="fullscript_protocols",
        of_practitioner="practitioner_protocols",
        params={"ownership_type": "all"},
    )
    if walked.refusal:
        return pull.record_refusal(walked.refusal)
    detail = DetailSource(endpoint="protocol", table=PROTOCOLS, arrays=("recommendations",))
    try:
        rows = complete_from_details(pull, session, detail, walked.lines, sweep_days=sweep_days)
    except REFUSALS as refusal:
        return pull.record_refusal(str(refusal))
    return pull.commit(
        Load(table=PROTOCOLS, lines=rows.lines, missing_among=walked.missing_among, after=rows.after),
        Load(
            table=PRACTITIONER_PROTOCOLS,
            lines=lambda: map(_protocol_membership, pull.file.lines("practitioner_protocols")),
            missing_among=walked.missing_among,
        ),
    )


def pull_resources(target: Target, session: ClinicSession) -> Report:
    """Pulls Fullscript's resources, and each practitioner's."""
    pull = Pull(target, "resources")
    walked = _walk_paired_lists(
        pull, session, of_fullscript="fullscript_resources", of_practitioner="practitioner_resources", params={}
    )
    if walked.refusal:
        return pull.record_refusal(walked.refusal)
    return pull.commit(
        Load(table=RESOURCES, lines=walked.lines, missing_among=walked.missing_among),
        Load(
            table=PRACTITIONER_RESOURCES,
            lines=lambda: (
                replace_record(line, {"name": record.get("name")})
                for line, record in iter_parsed(pull, "practitioner_resources")
            ),
            missing_among=walked.missing_among,
        ),
    )


def pull_external_ids(target: Target, session: ClinicSession) -> Report:
    """Pulls the external ids of objects: in one list, or a list per type on a server that requires a type."""
    pull = Pull(target, "external_ids")
    try:
        try:
            listings = [pull.walk(session, "metadata")]
        except RequestRefused:
            listings = [
                pull.walk(session, "metadata", params={"type": metadata_type}) for metadata_type in METADATA_TYPES
            ]
    except REFUSALS as refusal:
        return pull.record_refusal(str(refusal))
    # The id of a row is the other system's. Several objects may share it, so objects are counted.
    total = sum(listing.total_count or 0 for listing in listings)
    rows = [_of_entity(line) for line in pull.file.lines("metadata")] or _external_ids_of_objects(pull)
    objects = {(line.parent_id, line.id) for line in rows}
    complete = len(objects) >= total and not any(line.id.startswith(NO_ID) for line in rows)
    complete = complete and all(listing.complete or listing.ids for listing in listings)
    return pull.commit(
        Load(table=EXTERNAL_IDS, lines=lambda: iter(rows), missing_among=EVERYTHING if complete else None),
        total_count=total,
    )


_EXTERNAL_IDS_OF_OBJECTS = """
    SELECT external_id, kind, entity_id FROM (
        SELECT clinic_id, removed_at, external_id, 'patient' AS kind, patient_id AS entity_id FROM core.patients
        UNION ALL SELECT clinic_id, removed_at, external_id, 'practitioner', practitioner_id FROM core.practitioners
        UNION ALL SELECT clinic_id, removed_at, external_id, 'staff', staff_id FROM core.staff
        UNION ALL SELECT clinic_id, removed_at, external_id, 'treatment_plan', treatment_plan_id
        FROM core.treatment_plans)
    WHERE clinic_id = ? AND removed_at IS NULL AND external_id IS NOT NULL ORDER BY ALL"""


def _external_ids_of_objects(pull: Pull) -> list[Line]:
    """Returns the external ids in people and plans, for a server that lists none without an id."""
    clinic_id = pull.target.clinic.clinic_id if pull.target.clinic else None
    with pull.target.warehouse.read() as con:
        rows = con.execute(_EXTERNAL_IDS_OF_OBJECTS, [clinic_id]).fetchall()
    records = [
        canonical({"id": external_id, "type": kind, "data": {"id": entity}}) for external_id, kind, entity in rows
    ]
    return [Line(entity, kind, content_hash(text), text) for (_, kind, entity), text in zip(rows, records, strict=True)]


def pull_deliveries(target: Target, session: ClinicSession) -> Report:
    """Pulls the delivery attempts of this clinic's webhooks. The vendor keeps 30 days of them; the warehouse keeps all.

    A delivery of another clinic is left to that clinic's pull.
    """
    pull = Pull(target, "webhook_deliveries")
    clinic_id = session.clinic.clinic_id
    with target.warehouse.read() as con:
        before = pull_log.last_loaded(con, clinic_id, "webhook_deliveries")
    params = {"attempted_at": f">{before.date() - OVERLAP}"} if before else {}
    try:
        pull.walk(session, "webhook_deliveries", params=params)
    except REFUSALS as refusal:
        return pull.record_refusal(str(refusal))

    def of(clinic: str | None) -> Iterator[Line]:
        for line, record in iter_parsed(pull, "webhook_deliveries"):
            if _clinic_of(record) == clinic:
                yield _delivery(line, record)

    def after(con: duckdb.DuckDBPyConnection) -> None:
        store_event_objects(
            con, clinic_id, _object_ids_by_event(record for _, record in iter_parsed(pull, "webhook_deliveries"))
        )

    return pull.commit(
        Load(table=WEBHOOK_DELIVERIES, lines=lambda: of(clinic_id), after=after),
        Load(table=WEBHOOK_DELIVERIES, lines=lambda: of(None), of_no_clinic=True),
    )


@dataclass(frozen=True, kw_only=True)
class _PairedLists:
    """Two lists of one kind: the practitioners' first, so that Fullscript's row of the same id wins."""

    lines: Callable[[], Iterator[Line]]
    missing_among: Among | None
    refusal: str | None = None


def _walk_paired_lists(
    pull: Pull, session: ClinicSession, *, of_fullscript: str, of_practitioner: str, params: dict[str, str]
) -> _PairedLists:
    """Lands Fullscript's list and each practitioner's. `refusal` is set when none of them may be read.

    With a practitioner in quarantine a list is missing, so absence proves nothing.
    """
    refusals: list[str] = []

    def walk(endpoint: str, practitioner: str | None = None) -> bool:
        path = {"practitioner_id": practitioner} if practitioner else {}
        try:
            return pull.walk(session, endpoint, path=path, params=params if practitioner else {}).complete
        except REFUSALS as refusal:
            refusals.append(str(refusal))
            return False

    practitioners = practitioner_ids(pull)
    complete = [
        walk(of_fullscript),
        *in_parallel(lambda practitioner: walk(of_practitioner, practitioner), practitioners),
    ]

    def lines() -> Iterator[Line]:
        yield from pull.file.lines(of_practitioner)
        yield from pull.file.lines(of_fullscript)

    all_refused = len(refusals) == len(practitioners) + 1
    is_complete = all(complete) and not _has_unreadable_practitioners(pull)
    return _PairedLists(
        lines=lines, missing_among=EVERYTHING if is_complete else None, refusal=refusals[0] if all_refused else None
    )


def _has_unreadable_practitioners(pull: Pull) -> bool:
    clinic_id = pull.target.clinic.clinic_id if pull.target.clinic else ""
    with pull.target.warehouse.read() as con:
        number = open_by_table(con, clinic_id).get(PRACTITIONERS.name, 0)
    if number:
        pull.add_caution(f"{counted(number, 'practitioner')} in quarantine, so nothing that the lists lack is marked")
    return number > 0


def practitioner_ids(pull: Pull) -> list[str]:
    """Returns the clinic's stored practitioners."""
    clinic_id = pull.target.clinic.clinic_id if pull.target.clinic else None
    with pull.target.warehouse.read() as con:
        rows = con.execute(
            "SELECT practitioner_id FROM core.practitioners WHERE clinic_id = ? AND removed_at IS NULL ORDER BY 1",
            [clinic_id],
        ).fetchall()
    return requestable_ids(practitioner for (practitioner,) in rows)


def iter_parsed(pull: Pull, endpoint: str) -> Iterator[tuple[Line, dict[str, Any]]]:
    """Yields the landed lines of an endpoint, each with its parsed record."""
    return ((line, orjson.loads(line.record)) for line in pull.file.lines(endpoint))


def replace_record(line: Line, record: dict[str, Any]) -> Line:
    """Returns the line with another record and the same id."""
    text = canonical({"id": line.id, **record})
    return line._replace(record=text, hash=content_hash(text))


def _protocol_membership(line: Line) -> Line:
    """Returns that a practitioner sees a protocol, without the protocol's fields."""
    record = orjson.loads(line.record)
    author = record.get("practitioner")
    author_id = id_text(author.get("id") if isinstance(author, dict) else record.get("practitioner_id"))
    ownership = None if author_id is None else "owned" if author_id == line.parent_id else "shared"
    return replace_record(line, {"name": record.get("name"), "ownership": ownership})


def _of_entity(line: Line) -> Line:
    """Returns a row of the metadata list with the id of its object."""
    record = orjson.loads(line.record)
    data = record.get("data")
    entity_id = record_key(data.get("id") if isinstance(data, dict) else None, line.hash)
    return line._replace(id=entity_id, parent_id=str(record.get("type") or ""))


def _delivery(line: Line, record: dict[str, Any]) -> Line:
    """Returns the delivery; one without an id gets the event and the time of the attempt."""
    if not line.id.startswith(NO_ID):
        return line
    event = _event_of(record)
    return line._replace(id=f"{record.get('event_id') or event.get('id')}/{record.get('attempted_at')}")


def _clinic_of(record: dict[str, Any]) -> str | None:
    return id_text(_event_of(record).get("clinic_id") or record.get("clinic_id"))


def _object_ids_by_event(records: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Returns the object that each payload names, by event id."""
    events = [(record.get("event_id"), _event_of(record)) for record in records]
    named = {str(event_id or event.get("id") or ""): object_id_in(event) for event_id, event in events}
    return {event_id: object_id for event_id, object_id in named.items() if event_id and object_id}


def _event_of(record: dict[str, Any]) -> dict[str, Any]:
    """Returns the event of a delivery, which may be JSON text; {} when the row does not hold it."""
    for name in ("event_payload", "event", "payload"):
        payload = record.get(name)
        if isinstance(payload, str):
            with suppress(orjson.JSONDecodeError):
                payload = orjson.loads(payload)
        if isinstance(payload, dict):
            event = payload.get("event_payload", payload)
            event = event.get("event", event) if isinstance(event, dict) else event
            return event if isinstance(event, dict) else {}
    return {}
