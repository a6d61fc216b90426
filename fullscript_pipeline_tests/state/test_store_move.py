"""A state store is moved whole, closed behind, and survives an interruption at any point of the move."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import func, select

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.state import StateStore, move_store, store_move
from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.schema import change_notices, events, facts, metadata
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer

KEY = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="
Address = Path | str


pytestmark = pytest.mark.sqlite_file  # the test itself says which databases


@pytest.fixture(
    params=[
        "file to file",
        pytest.param("file to PostgreSQL", marks=pytest.mark.check_all),
        pytest.param("PostgreSQL to file", marks=pytest.mark.check_all),
    ]
)
def addresses(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Address, Address]:
    """A filled store's address, and that of a new one."""
    both: list[Address] = [tmp_path / "one" / "state.sqlite", tmp_path / "two" / "state.sqlite"]
    if request.param != "file to file":
        server: PostgresServer = request.getfixturevalue("postgres")
        both[request.param == "file to PostgreSQL"] = server.url_of(str(tmp_path))
    fill(both[0])
    return both[0], both[1]


@contextmanager
def opened(*addresses: Address, moving: bool = False) -> Iterator[list[StateStore]]:
    stores = [StateStore(address, KEY, is_moving=moving) for address in addresses]
    try:
        yield stores
    finally:
        for store in stores:
            store.close()


def fill(address: Address) -> None:
    with opened(address) as (store,):
        store.facts.set("made_by_demo", "yes")
        store.audit.append("started", {"command": "export"})
        with store.db.write() as connection:
            for number in range(2_500):
                row = {"server": "us", "clinic_id": f"c{number % 3}", "event_id": f"e{number}é", "attempts": 0}
                connection.execute(insert_into(connection, events).values(seen_at="2026", seen_by="feed", **row))
            for number in range(4):
                connection.execute(insert_into(connection, change_notices).values(notice(number)))
            connection.execute(change_notices.delete().where(change_notices.c.notice_id == "n3"))


def notice(number: int) -> dict[str, Any]:
    row = {"notice_id": f"n{number}", "target": "url", "region": "us", "day": "2026-11-29", "body": b"\x00\xff"}
    return row | {"tries": 0, "received": 0, "wait_until_s": datetime(2026, 11, 29, tzinfo=UTC).timestamp() + 0.1}


def contents(address: Address) -> dict[str, list[tuple[Any, ...]]]:
    with opened(address) as (store,), store.db.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in metadata.sorted_tables
        }


def move(source: Address, target: Address) -> int:
    with opened(source, target, moving=True) as (leaving, arriving):
        return sum(table.rows for table in move_store(leaving.db, arriving.db))


def test_the_new_store_holds_every_row_and_the_former_one_is_closed(addresses: tuple[Address, Address]) -> None:
    source, target = addresses
    before = contents(source)
    assert move(source, target) == sum(map(len, before.values()))
    assert contents(target) == before
    with pytest.raises(ConfigurationError, match=r"was moved to .* FULLSCRIPT_STATE_URL"):
        StateStore(source, KEY)
    with pytest.raises(ConfigurationError, match="already"):
        move(source, target)


def test_a_number_is_not_given_twice(addresses: tuple[Address, Address]) -> None:
    move(*addresses)
    with opened(addresses[1]) as (store,), store.db.write() as connection:
        connection.execute(insert_into(connection, change_notices).values(notice(9)))
        numbers = connection.execute(select(change_notices.c.number).order_by(change_notices.c.number)).scalars().all()
    assert numbers == [1, 2, 3, 5]


def test_a_store_that_is_open_when_it_is_moved_takes_no_more_writes(addresses: tuple[Address, Address]) -> None:
    with opened(addresses[0]) as (store,):
        move(*addresses)
        with pytest.raises(ConfigurationError, match="was moved to"):
            store.facts.set("made_by_demo", "no")


def test_a_store_in_use_is_not_overwritten(addresses: tuple[Address, Address]) -> None:
    source, target = addresses
    fill(target)
    before = contents(target)
    with pytest.raises(ConfigurationError, match="is in use"):
        move(source, target)
    assert contents(target) == before
    with opened(source) as (store,):
        assert store.facts.get("made_by_demo") == "yes"


def test_it_can_be_moved_back(addresses: tuple[Address, Address]) -> None:
    source, target = addresses
    move(source, target)
    with opened(target) as (store,):
        store.facts.set("later", "yes")
    before = contents(target)
    move(target, source)
    assert contents(source) == before
    with pytest.raises(ConfigurationError, match="was moved to"):
        StateStore(target, KEY)


class Died(Exception):
    """The process ends here."""


@pytest.mark.parametrize("step", ["while copying", "before the former store is closed", "before the new one opens"])
def test_an_interrupted_move_is_completed_by_the_next(
    addresses: tuple[Address, Address], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = addresses
    before = contents(source)
    with monkeypatch.context() as interrupted:
        interrupt(interrupted, step)
        with pytest.raises(Died):
            move(source, target)
    for address in (target, *([source] if step == "before the new one opens" else [])):
        if step != "while copying":
            with pytest.raises(ConfigurationError, match=r"has not been completed|was moved to"):
                StateStore(address, KEY)
    move(source, target)
    assert contents(target) == before


def interrupt(patch: pytest.MonkeyPatch, step: str) -> None:
    real: Callable[..., None] = store_move._set_mark
    marked: list[str] = []

    def set_mark(connection: Any, name: str, place: str) -> None:
        marked.append(name)
        if (step == "while copying") or (step == "before the former store is closed" and name == "moved_to"):
            raise Died
        real(connection, name, place)

    patch.setattr(store_move, "_set_mark", set_mark)
    if step == "before the new one opens":
        patch.setattr(facts, "delete", mock.Mock(side_effect=_die_at_second_call(facts.delete)))


def _die_at_second_call(real: Callable[..., Any]) -> Callable[..., Any]:
    """The first call empties the table before it is copied, the second opens the new store."""
    calls: list[int] = []

    def delete() -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise Died
        return real()

    return delete


def test_a_row_that_arrives_otherwise_is_found(addresses: tuple[Address, Address]) -> None:
    wrong = mock.patch.object(store_move, "_copy_last_number", _spoil)
    with wrong, pytest.raises(ConfigurationError, match="was not copied exactly"):
        move(*addresses)
    with opened(addresses[0]) as (store,), store.db.read() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar() == 2_500


def _spoil(_reading: Any, writing: Any, table: Any) -> None:
    if table is events:
        writing.execute(events.update().where(events.c.event_id == "e7é").values(seen_by="webhook"))
