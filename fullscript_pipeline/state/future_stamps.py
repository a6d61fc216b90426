"""Finds times in the state store that lie in the future, left by a run under a wrong clock, and moves them back.

The columns are found by name in the schema: `..._at`, `..._s` and `day`. Positions in feeds are moved back as far as
feeds reach, since the real time of the last read is unknown; reading an event twice does no harm. What does
not belong here: the warehouse's times (`warehouse.future_stamps`).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, func, select, update

from fullscript_pipeline.state.schema import availability, cursors, events, facts, metadata

# The vendor's times.
_VENDORS = frozenset({("events", "created_at"), ("webhook_inbox", "created_at")})
# Due times may lie in the future, unless the time that they were computed from does too.
_DUE = {("grants", "expires_at"): "obtained_at", ("events", "next_try_at"): "last_try_at"}
# A day less than the vendor's feeds reach: an older position would be taken for a feed gap.
_FEEDS_REACH = timedelta(days=29)
_FEED_OF_DELIVERIES = "webhook_deliveries"
_DATE = len("2026-11-22")
_TIME_IN_TEXT = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?)?")


class _Move(NamedTuple):
    """Rows in which a column is in the future, and its new value; None: the value is unknown."""

    table: Table
    column: Column[Any]
    rows: ColumnElement[bool]
    becomes: Any


def count_future(connection: Connection, now: datetime) -> dict[str, int]:
    """Counts by table the values after `now`; tables without any are left out."""
    counts: dict[str, int] = {}
    for move in _moves(connection, now, {}):
        number = select(func.count()).select_from(move.table).where(move.rows)
        counts[move.table.name] = counts.get(move.table.name, 0) + connection.execute(number).scalar_one()
    return {name: number for name, number in counts.items() if number}


def future_instants(connection: Connection, now: datetime) -> set[datetime]:
    """The distinct times of ours after `now`."""
    moments = (_moment(value) for _, column in _time_columns() for value in _after(connection, column, now))
    return {moment for moment in moments if moment is not None and moment > now}


def move_back(connection: Connection, now: datetime, moved: Mapping[datetime, datetime]) -> None:
    """Replaces every time after `now` (as `moved` says, else by `now`), in the caller's transaction."""
    for table, column, rows, becomes in list(_moves(connection, now, moved)):
        if becomes is None and column.primary_key:
            connection.execute(delete(table).where(rows))
        else:
            connection.execute(update(table).where(rows).values({column.name: becomes}))


def _moves(connection: Connection, now: datetime, moved: Mapping[datetime, datetime]) -> Iterator[_Move]:
    yield from _due_times(now)
    for table, column in _time_columns():
        for value in _after(connection, column, now):
            moment = _moment(value)
            if moment is not None and moment > now:
                yield _Move(table, column, column == value, moved.get(moment, now).isoformat())
    yield from _days_and_runs(connection, now)
    yield from _positions(connection, now)
    yield from _facts(connection, now)
    yield from _seconds(now)


def _due_times(now: datetime) -> Iterator[_Move]:
    for (name, column), base in _DUE.items():
        table = metadata.tables[name]
        both = (table.c[column] > now.isoformat()) & (table.c[base] > now.isoformat())
        yield _Move(table, table.c[column], both, now.isoformat())


def _days_and_runs(connection: Connection, now: datetime) -> Iterator[_Move]:
    """Refusals on a future day, and runs that were requested at a future time."""
    for (day,) in connection.execute(select(availability.c.day).distinct()):
        if day > now.date().isoformat():
            yield _Move(availability, availability.c.day, availability.c.day == day, None)
    requested_runs = select(events.c.asked_run).distinct().where(events.c.asked_run.is_not(None))
    for (run,) in connection.execute(requested_runs):
        moment = _moment(run.partition("@")[2])
        if moment is not None and moment > now:
            yield _Move(events, events.c.asked_run, events.c.asked_run == run, None)


def _positions(connection: Connection, now: datetime) -> Iterator[_Move]:
    for feed, value in connection.execute(select(cursors.c.feed, cursors.c.position).distinct()):
        is_date, moment = len(value) == _DATE, _moment(value)
        if moment is None or moment <= now:
            continue
        position = now - _FEEDS_REACH if is_date or feed == _FEED_OF_DELIVERIES else now
        rows = (cursors.c.feed == feed) & (cursors.c.position == value)
        yield _Move(cursors, cursors.c.position, rows, (position.date() if is_date else position).isoformat())


def _facts(connection: Connection, now: datetime) -> Iterator[_Move]:
    """Times within the texts of facts."""

    def no_later(match: re.Match[str]) -> str:
        text, moment = match.group(), _moment(match.group())
        if moment is None or moment <= now:
            return text
        return (now.date() if len(text) == _DATE else now).isoformat()

    for (value,) in connection.execute(select(facts.c.value).distinct()):
        if (moved_text := _TIME_IN_TEXT.sub(no_later, value)) != value:
            yield _Move(facts, facts.c.value, facts.c.value == value, moved_text)


def _seconds(now: datetime) -> Iterator[_Move]:
    """Columns of seconds. Times until which something holds are bounded by their reader (`request_budget`)."""
    for table in metadata.sorted_tables:
        for column in table.c:
            if column.name.endswith("_s") and not column.name.endswith("until_s"):
                yield _Move(table, column, column > now.timestamp(), now.timestamp())


def _time_columns() -> Iterator[tuple[Table, Column[Any]]]:
    for table in metadata.sorted_tables:
        for column in table.c:
            place = (table.name, column.name)
            if column.name.endswith("_at") and place not in _VENDORS and place not in _DUE:
                yield table, column


def _after(connection: Connection, column: Column[Any], now: datetime) -> list[str]:
    """The distinct values after `now`."""
    return list(connection.execute(select(column).distinct().where(column > now.isoformat())).scalars())


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
