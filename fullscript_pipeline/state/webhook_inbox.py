"""The webhook inbox: acknowledged deliveries, until they are handled.

A delivery is stored once per server, event and integration, however often it is received. The body holds health data
and is sealed like a token. Times are real, never FULLSCRIPT_NOW. What does
not belong here: signatures and HTTP (`webhooks`), what a delivery means and what to fetch for it (`refresh`).
"""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, delete, func, select, update

from fullscript_pipeline import clock
from fullscript_pipeline.state.database import Database, insert_into
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import facts, webhook_inbox
from fullscript_pipeline.state.sealed_columns import SECRET_FACT, WEBHOOK_BODY
from fullscript_pipeline.state.secret_cipher import Keyring

DeliveryState = Literal["received", "handled", "ignored", "failed"]
_PATH_FACT = "webhook_path"
_BODY_OUT = [column for column in webhook_inbox.c if column.name != "body"]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A genuine delivery. `event_id` is `body-<hash>` if the payload has none; other missing ids are ''.

    `body` is the received body, byte for byte; empty if it was not selected (`with_body`). `created_at` is the vendor's
    text.
    """

    server: str
    event_id: str
    integration_id: str = ""
    clinic_id: str = ""
    event_type: str | None = None
    created_at: str | None = None
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    received_at: datetime | None = None
    receipts: int = 1
    state: DeliveryState = "received"
    reason: str | None = None
    tries: int = 0


@dataclass(frozen=True, kw_only=True)
class InboxSize:
    """The unhandled deliveries: their number, the bytes of their bodies, and when the oldest was received."""

    waiting: int
    waiting_bytes: int
    since: datetime | None


class WebhookInbox(StorePart):
    """The deliveries that were acknowledged.

    `prepare` returns deliveries as they may be stored.
    """

    def __init__(
        self, db: Database, keyring: Keyring, prepare: Callable[[Sequence[Delivery]], Sequence[Delivery]]
    ) -> None:
        super().__init__(db, keyring)
        self._prepare = prepare

    def keep_delivery(self, delivery: Delivery) -> bool:
        """Stores a delivery durably; False: it was stored already."""
        return self.keep_deliveries([delivery])[0]

    def keep_deliveries(self, new: Sequence[Delivery]) -> list[bool]:
        """Stores deliveries durably in one transaction; returns for each whether it was new. A known one is counted."""
        new, moment = self._prepare(new), clock.real_now().isoformat()
        with self.db.write() as connection:
            rows = [_row(self.keyring, delivery, moment) for delivery in new]
            were_added = []
            for row, delivery in zip(rows, new, strict=True):
                added = (
                    connection.execute(
                        insert_into(connection, webhook_inbox).values(row).on_conflict_do_nothing()
                    ).rowcount
                    > 0
                )
                if not added:
                    again = {"receipts": webhook_inbox.c.receipts + 1}
                    connection.execute(update(webhook_inbox).where(_this(delivery)).values(again))
                were_added.append(added)
        return were_added

    def deliveries(
        self, states: Iterable[DeliveryState] | None = None, limit: int | None = None, *, with_body: bool = True
    ) -> list[Delivery]:
        """The deliveries in `states` (None: all), in order. Raises ConfigurationError for bodies of another key."""
        query = select(*(webhook_inbox.c if with_body else _BODY_OUT)).order_by(webhook_inbox.c.number).limit(limit)
        if states is not None:
            query = query.where(webhook_inbox.c.state.in_(list(states)))
        with self.db.read() as connection:
            rows = connection.execute(query).all()
        return [_delivery(self.keyring, row) for row in rows]

    def size(self) -> InboxSize:
        """The size of the deliveries that wait to be handled, or failed and wait for a person."""
        bodies = webhook_inbox.c.body
        query = select(func.count(), func.sum(func.length(bodies)), func.min(webhook_inbox.c.received_at))
        with self.db.read() as connection:
            row = connection.execute(query.where(webhook_inbox.c.state.in_(["received", "failed"]))).one()
        return InboxSize(
            waiting=row[0], waiting_bytes=row[1] or 0, since=datetime.fromisoformat(row[2]) if row[2] else None
        )

    def newest_number(self) -> int:
        """The number of the newest delivery; 0 without any."""
        with self.db.read() as connection:
            return connection.execute(select(func.max(webhook_inbox.c.number))).scalar() or 0

    def mark(self, chosen: Iterable[Delivery], state: DeliveryState, reason: str | None = None) -> None:
        """Records the state of these deliveries, in one transaction.

        `reason` is a sentence for `webhooks inbox list`, without health data. Each call counts as a try.
        """
        changed = {
            "state": state,
            "state_reason": reason,
            "tries": webhook_inbox.c.tries + 1,
            "updated_at": clock.real_now().isoformat(),
        }
        with self.db.write() as connection:
            for delivery in chosen:
                connection.execute(update(webhook_inbox).where(_this(delivery)).values(changed))

    def purge(self, before: datetime, limit: int = 1000) -> int:
        """Deletes up to `limit` handled or ignored deliveries last changed before `before`; returns the number."""
        old = (
            select(webhook_inbox.c.number)
            .where(webhook_inbox.c.state.in_(["handled", "ignored"]), webhook_inbox.c.updated_at < before.isoformat())
            .limit(limit)
        )
        with self.db.write() as connection:
            return connection.execute(delete(webhook_inbox).where(webhook_inbox.c.number.in_(old))).rowcount

    def webhook_path(self) -> str:
        """The secret part of the receiver's URLs, made at first use. The vendor stores it, so it must not change."""
        mine = select(facts.c.value).where(facts.c.name == _PATH_FACT)
        with self.db.read() as connection:
            sealed_path = connection.execute(mine).scalar()
        if sealed_path is None:
            with self.db.write() as connection:
                sealed = self.keyring.seal(secrets.token_urlsafe(24), SECRET_FACT.at(_PATH_FACT))
                connection.execute(
                    insert_into(connection, facts).values(name=_PATH_FACT, value=sealed).on_conflict_do_nothing()
                )
                sealed_path = connection.execute(mine).scalar_one()
        return self.keyring.open(str(sealed_path), SECRET_FACT.at(_PATH_FACT))


def _row(keyring: Keyring, delivery: Delivery, moment: str) -> dict[str, Any]:
    return {
        "server": delivery.server,
        "event_id": delivery.event_id,
        "integration_id": delivery.integration_id,
        "clinic_id": delivery.clinic_id,
        "event_type": delivery.event_type,
        "created_at": delivery.created_at,
        "body": keyring.seal_bytes(
            delivery.body, WEBHOOK_BODY.at(delivery.server, delivery.event_id, delivery.integration_id)
        ),
        "headers": json.dumps(dict(delivery.headers)),
        "received_at": delivery.received_at.isoformat() if delivery.received_at else moment,
        "receipts": delivery.receipts,
        "state": delivery.state,
        "state_reason": delivery.reason,
        "tries": delivery.tries,
        "updated_at": moment,
    }


def _delivery(keyring: Keyring, row: Row[Any]) -> Delivery:
    return Delivery(
        server=row.server,
        event_id=row.event_id,
        integration_id=row.integration_id,
        clinic_id=row.clinic_id,
        event_type=row.event_type,
        created_at=row.created_at,
        body=keyring.open_bytes(row.body, WEBHOOK_BODY.of_row(row)) if hasattr(row, "body") else b"",
        headers=json.loads(row.headers),
        received_at=datetime.fromisoformat(row.received_at),
        receipts=row.receipts,
        state=row.state,
        reason=row.state_reason,
        tries=row.tries,
    )


def _this(delivery: Delivery) -> ColumnElement[bool]:
    key = (delivery.server, delivery.event_id, delivery.integration_id)
    columns = (webhook_inbox.c.server, webhook_inbox.c.event_id, webhook_inbox.c.integration_id)
    server, event, integration = (column == value for column, value in zip(columns, key, strict=True))
    return server & event & integration
