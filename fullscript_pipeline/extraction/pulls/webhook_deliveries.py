"""The delivery attempts of a clinic's webhooks, and the objects that their payloads name.

What does not belong here: receiving webhooks (`webhooks`), comparing deliveries with known events (`refresh`).
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import duckdb
import orjson

from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.extraction.engine import Load, Pull, Report, Target
from fullscript_pipeline.extraction.event_proof import object_id_in, store_event_objects
from fullscript_pipeline.extraction.pulls.landed_records import REFUSALS, iter_parsed
from fullscript_pipeline.ids import id_text
from fullscript_pipeline.resources.webhook_deliveries import WEBHOOK_DELIVERIES
from fullscript_pipeline.warehouse import NO_ID, Line
from fullscript_pipeline.warehouse.loading import pull_log

# A day for the filter's undocumented edge, a day for its time zone.
OVERLAP = timedelta(days=2)


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
