"""Messages about catalog digests, kept until each target has received them: at least once, each with its id.

A message holds catalog data only. What does not belong here: what a message says (`catalog`), sending it
(`orchestration`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Row, select, update

from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import change_notices

# Seconds until the next try, by the number of tries; then an hour each.
_WAITS = (60.0, 300.0, 1800.0)
_LONGEST_WAIT = 3600.0


@dataclass(frozen=True, kw_only=True)
class ChangeNotice:
    """A message for one target (`url` or `command`) that has not received it yet."""

    notice_id: str
    target: str
    body: bytes
    tries: int
    last_error: str | None


class ChangeNotices(StorePart):
    """The messages about digests, and who has received them."""

    def queue(self, notice_id: str, targets: Sequence[str], region: str, day: date, body: bytes) -> None:
        """Keeps a message for each target. One that was kept before stays as it is, received or not."""
        common = {
            "region": region,
            "day": day.isoformat(),
            "body": body,
            "tries": 0,
            "wait_until_s": 0.0,
            "received": 0,
        }
        with self.db.write() as connection:
            for target in targets:
                row = {"notice_id": notice_id, "target": target, **common}
                connection.execute(insert_into(connection, change_notices).values(row).on_conflict_do_nothing())

    def last_id(self, region: str, day: date) -> str | None:
        """The id of the newest message about the digest of a day."""
        query = (
            select(change_notices.c.notice_id)
            .where((change_notices.c.region == region) & (change_notices.c.day == day.isoformat()))
            .order_by(change_notices.c.number.desc())
        )
        with self.db.read() as connection:
            return connection.execute(query).scalars().first()

    def pending(self, targets: Sequence[str], now_s: float | None = None) -> list[ChangeNotice]:
        """The messages that these targets have not received, oldest first; with `now_s` those that are due then."""
        waiting = change_notices.c.target.in_(targets) & (change_notices.c.received == 0)
        if now_s is not None:
            # A longer wait than any that is set: the clock was set back since.
            due = change_notices.c.wait_until_s.between(now_s + 0.001, now_s + _LONGEST_WAIT)
            waiting &= ~due
        with self.db.read() as connection:
            rows = connection.execute(select(change_notices).where(waiting).order_by(change_notices.c.number)).all()
        return [_notice(row) for row in rows]

    def mark_received(self, notice: ChangeNotice) -> None:
        """The target has it: the body goes, the id stays."""
        with self.db.write() as connection:
            values = {"received": 1, "body": None, "last_error": None}
            connection.execute(update(change_notices).where(_this(notice)).values(**values))

    def mark_failed(self, notice: ChangeNotice, error: str, now_s: float) -> None:
        """Sets the next try."""
        wait = _WAITS[notice.tries] if notice.tries < len(_WAITS) else _LONGEST_WAIT
        with self.db.write() as connection:
            values = {"tries": notice.tries + 1, "wait_until_s": now_s + wait, "last_error": error}
            connection.execute(update(change_notices).where(_this(notice)).values(**values))


def _this(notice: ChangeNotice) -> ColumnElement[bool]:
    return (change_notices.c.notice_id == notice.notice_id) & (change_notices.c.target == notice.target)


def _notice(row: Row[tuple[object, ...]]) -> ChangeNotice:
    return ChangeNotice(
        notice_id=row.notice_id, target=row.target, body=row.body, tries=row.tries, last_error=row.last_error
    )
