"""Lists the product feed before a region's products are read, for the days on which they changed.

One clinic of the region lists it. Details are read only of events since the last listing of the catalog: earlier ones
can date no change that this listing will show. What does not belong here: valid time (`warehouse`), the feeds of a
clinic (`event_feeds`), fetching products by event (`refresh`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import orjson

from fullscript_pipeline.api import ClinicRef, ClinicSession
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.extraction.engine import Pull, Report, Target
from fullscript_pipeline.extraction.event_proof import (
    FeedPosition,
    close_answered_events,
    line_from_ledger,
    object_id_in,
    parse_event,
    record_outcomes,
)
from fullscript_pipeline.extraction.pulls.event_feeds import (
    FEED_REFUSALS,
    PRODUCT_FEED_CURSOR,
    is_product_event,
    load_events,
)
from fullscript_pipeline.state import LedgerEvent, StateStore
from fullscript_pipeline.warehouse import Line, Warehouse
from fullscript_pipeline.warehouse.loading import pull_log

FEED = "product_events"
# More events than this are a new catalog, whose details would take as long as itself: only the newest are dated.
MOST_DETAILS = 300


@dataclass(frozen=True, kw_only=True)
class ProductEvents:
    """The events of one clinic's product feed. The pull of the products answers them."""

    reports: tuple[Report, ...] = ()
    warehouse: Warehouse | None = None
    clinic: ClinicRef | None = None
    events: tuple[LedgerEvent, ...] = ()
    listed: tuple[Mapping[str, object], ...] = ()
    is_complete: bool = True
    position: FeedPosition | None = None

    def close_events(self, store: StateStore, day: str) -> None:
        """Closes the events that the products' pull has answered, and records the feed as read up to `day`.

        Call it after the commit of the products."""
        if self.clinic is None or self.warehouse is None or self.position is None:
            return
        server, clinic_id = self.clinic.server, self.clinic.clinic_id
        store.events.record(self.events)
        record_outcomes(self.warehouse, store, self.clinic, {event.event_id for event in self.events})
        # Every clinic of the region has the same products.
        for clinic in store.clinics.all():
            if clinic.region == self.clinic.region:
                close_answered_events(self.warehouse, store, clinic)
        self.position.record_read(date.fromisoformat(day), self.listed, complete=self.is_complete)
        store.feeds.set_position(server, clinic_id, PRODUCT_FEED_CURSOR, day)


def pull_product_events(target: Target, sessions: Sequence[ClinicSession], store: StateStore) -> ProductEvents:
    """Lists the feed with the first permitted clinic, and reads the details that can date a change."""
    reports: list[Report] = []
    for session in sessions:
        pull, position = Pull(replace(target, clinic=session.clinic), FEED), FeedPosition(store, session, FEED)
        try:
            listing = pull.walk(session, FEED, params=position.new_events_filter())
        except (*FEED_REFUSALS, NeedsConnect) as refusal:
            reports.append(pull.record_refusal(str(refusal)))
            continue
        new = _new_events(pull, session.clinic, store)
        report = load_events(pull, session, _choose_detailed(target, new), listed=new)
        ledger_events = tuple(_ledger_event(session.clinic, line) for line in new)
        listed = tuple(_parse_record(line) for line in pull.file.lines(FEED))
        return ProductEvents(
            reports=(*reports, report),
            warehouse=target.warehouse,
            clinic=session.clinic,
            events=ledger_events,
            listed=listed,
            is_complete=listing.complete,
            position=position,
        )
    return ProductEvents(reports=tuple(reports))


def _new_events(pull: Pull, clinic: ClinicRef, store: StateStore) -> list[Line]:
    """Returns listed events that the ledger does not know, and ledger events that are not handled."""
    listed = {line.id: line for line in pull.file.lines(FEED)}
    unseen = store.events.unknown_ids(clinic.server, clinic.clinic_id, listed)
    waiting = [event for event in store.events.pending(clinic.server, clinic.clinic_id) if is_product_event(event)]
    return list({event.event_id: line_from_ledger(event) for event in waiting}.values()) + [
        listed[event_id] for event_id in unseen
    ]


def _choose_detailed(target: Target, new: Sequence[Line]) -> list[str]:
    """Returns the events whose details to read: those that the feed lists by id only, and those since the last listing
    of all products, newest first. Without an earlier listing nothing can be dated."""
    records = {line.id: _parse_record(line) for line in new}
    bare_ids = [
        event_id for event_id, record in records.items() if not (record.get("type") and record.get("created_at"))
    ]
    with target.warehouse.read() as con:
        last = pull_log.last_products_read(con, target.region)
    if last is None:
        return bare_ids
    created_at = {
        event_id: str(record["created_at"]) for event_id, record in records.items() if event_id not in bare_ids
    }
    # Times are compared as written, so a day more is read for other time zones.
    first = last.date().isoformat()
    dating = [
        event_id
        for event_id in created_at
        if created_at[event_id][:10] >= first and not object_id_in(records[event_id])
    ]
    return bare_ids + sorted(dating, key=lambda event_id: created_at[event_id], reverse=True)[:MOST_DETAILS]


def _parse_record(line: Line) -> dict[str, object]:
    record: dict[str, object] = orjson.loads(line.record)
    return record


def _ledger_event(clinic: ClinicRef, line: Line) -> LedgerEvent:
    event = parse_event(line)
    return LedgerEvent(
        server=clinic.server,
        clinic_id=clinic.clinic_id,
        event_id=event.event_id,
        event_type=event.type,
        resource_id=event.resource_id,
        created_at=event.created_at,
        feed=FEED,
    )
