"""Times to come in the state store move back; what may lie ahead and what is the vendor's stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.state.future_stamps import count_future, future_instants, move_back
from fullscript_pipeline.state.schema import metadata

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=3652)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    with StateStore(tmp_path / "state.sqlite") as opened:
        yield opened


def insert(store: StateStore, table: str, **values: Any) -> None:
    """A row; what is not given is text of no meaning."""
    columns = metadata.tables[table].c
    row: dict[str, Any] = {
        one.name: one.name for one in columns if one.type.python_type is str and not one.name.endswith("_at")
    }
    row |= {one.name: 0 for one in columns if one.type.python_type in {int, float}}
    with store.db.write() as connection:
        connection.execute(metadata.tables[table].insert().values({**row, **values}))


def rows(store: StateStore, table: str, *columns: str) -> list[tuple[Any, ...]]:
    with store.db.read() as connection:
        found = connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1").all()
    return [tuple(row) for row in found]


def repaired(store: StateStore) -> dict[str, int]:
    """Moves everything back; how much was ahead."""
    with store.db.write() as connection:
        found = count_future(connection, NOW)
        move_back(connection, NOW, clock.moved_times(future_instants(connection, NOW), NOW))
        assert count_future(connection, NOW) == {}
    return found


def event(number: int, seen: datetime, **values: Any) -> dict[str, Any]:
    times = {"created_at": NOW.isoformat(), "seen_at": seen.isoformat(), "processed_at": None, "asked_run": None}
    return {"event_id": f"e{number}", **times, "attempts": 1, "last_try_at": None, "next_try_at": None, **values}


def test_events_keep_their_order_and_what_is_due_later_stays_due(store: StateStore) -> None:
    soon = (NOW + HOUR).isoformat()
    insert(store, "events", **event(1, NOW - HOUR, last_try_at=(NOW - HOUR).isoformat(), next_try_at=soon))
    insert(store, "events", **event(2, LATER, last_try_at=LATER.isoformat(), next_try_at=(LATER + HOUR).isoformat()))
    insert(store, "events", **event(3, LATER + HOUR, processed_at=(LATER + 2 * HOUR).isoformat()))
    insert(store, "events", **event(4, NOW - HOUR, created_at=LATER.isoformat(), asked_run=f"x@{LATER.isoformat()}"))
    insert(store, "events", **event(5, NOW - HOUR, asked_run=f"x@{NOW.isoformat()}"))
    assert repaired(store) == {"events": 6}
    found = {row[0]: row[1:] for row in rows(store, "events", "event_id", "seen_at", "last_try_at", "next_try_at")}
    assert found["e1"] == ((NOW - HOUR).isoformat(), (NOW - HOUR).isoformat(), soon)
    seen, tried, due = found["e2"]
    assert seen == tried < found["e3"][0] <= NOW.isoformat() == due
    done = dict(rows(store, "events", "event_id", "processed_at"))
    assert found["e3"][0] < done["e3"] <= NOW.isoformat()
    given = {row[0]: row[1:] for row in rows(store, "events", "event_id", "created_at", "asked_run")}
    assert given["e4"] == (LATER.isoformat(), None), "the vendor's time stays; no run of a time to come is waited for"
    assert given["e5"][1] == f"x@{NOW.isoformat()}"


def test_feeds_are_read_again_as_far_as_they_reach(store: StateStore) -> None:
    reach = NOW - timedelta(days=29)
    for feed, position in {
        "order_events": LATER.date().isoformat(),
        "lab_events": "2026-11-20",
        "webhook_deliveries": LATER.isoformat(),
        "reconciled_real": LATER.isoformat(),
        "heard": "",
    }.items():
        insert(store, "cursors", feed=feed, position=position, updated_at=NOW.isoformat())
    assert repaired(store) == {"cursors": 3}
    assert dict(rows(store, "cursors", "feed", "position")) == {
        "heard": "",
        "lab_events": "2026-11-20",
        "order_events": reach.date().isoformat(),
        "reconciled_real": NOW.isoformat(),
        "webhook_deliveries": reach.isoformat(),
    }


def test_tokens_of_a_future_time_count_as_expired_and_others_keep_their_life(store: StateStore) -> None:
    for user, obtained in (("u1", NOW - HOUR), ("u2", LATER)):
        times = {"obtained_at": obtained.isoformat(), "expires_at": (obtained + 2 * HOUR).isoformat()}
        insert(store, "grants", user_id=user, **times, updated_at=obtained.isoformat())
    repaired(store)
    found = {row[0]: row[1:] for row in rows(store, "grants", "user_id", "obtained_at", "expires_at")}
    assert found["u1"] == ((NOW - HOUR).isoformat(), (NOW + HOUR).isoformat())
    assert found["u2"][0] <= found["u2"][1] == NOW.isoformat()


def test_refusals_facts_and_seconds(store: StateStore) -> None:
    for day in ("2026-11-22", LATER.date().isoformat()):
        insert(store, "availability", day=day, reason="403")
    told = '{"at": "%s", "missing": 1, "lost": "2026-10-01 to %s"}'
    insert(store, "facts", name="reconciled:us:c1", value=told % (LATER.isoformat(), LATER.date()))
    insert(store, "token_failures", failed_s=LATER.timestamp())
    insert(store, "request_leases", granted_s=LATER.timestamp(), counted_until_s=LATER.timestamp() + 300)
    assert repaired(store) == {"availability": 1, "facts": 1, "token_failures": 1, "request_leases": 1}
    assert rows(store, "availability", "day") == [("2026-11-22",)]
    assert (told % (NOW.isoformat(), NOW.date()),) in rows(store, "facts", "value")
    assert rows(store, "token_failures", "failed_s") == [(NOW.timestamp(),)]
    assert repaired(store) == {}
