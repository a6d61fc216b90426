"""Promise 42: of a thousand random changes to the audit log each is found (`cli/test_audit.py`: what is recorded)."""

import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.drills.promise_line import report_promise

_KEY = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="
_TRIES = 1_000
Change = Callable[[sqlite3.Connection, random.Random], None]


def _log(path: Path) -> Path:
    """Sixty entries in two chains."""
    with StateStore(path, _KEY) as store:
        for number in range(58):
            if number == 30:
                store.audit.keep_log_of(path.with_name("missing"))
            store.audit.append("started", {"command": "export", "rows": number})
    return path


def _a_row(connection: sqlite3.Connection, chance: random.Random) -> int:
    return int(chance.choice(connection.execute("SELECT rowid FROM audit_log ORDER BY rowid").fetchall())[0])


def _flip(text: str, chance: random.Random, last: int) -> str:
    """Another letter or digit at one place before `last`."""
    place = chance.randrange(len(text) - last)
    other = chance.choice([one for one in "abcdef0123456789XYZ" if one != text[place]])
    return text[:place] + other + text[place + 1 :]


def _change_entry(connection: sqlite3.Connection, chance: random.Random) -> None:
    row, column = _a_row(connection, chance), chance.choice(["entry", "code"])
    (text,) = connection.execute(f"SELECT {column} FROM audit_log WHERE rowid = ?", [row]).fetchone()
    connection.execute(f"UPDATE audit_log SET {column} = ? WHERE rowid = ?", [_flip(text, chance, 0), row])


def _take_out(connection: sqlite3.Connection, chance: random.Random) -> None:
    connection.execute("DELETE FROM audit_log WHERE rowid = ?", [_a_row(connection, chance)])


def _cut_off(connection: sqlite3.Connection, chance: random.Random) -> None:
    (chain,) = chance.choice(connection.execute("SELECT chain FROM audit_chains ORDER BY position").fetchall())
    connection.execute("DELETE FROM audit_log WHERE chain = ? AND number > ?", [chain, chance.randrange(28)])


def _swap(connection: sqlite3.Connection, chance: random.Random) -> None:
    one = other = _a_row(connection, chance)
    while other == one:
        other = _a_row(connection, chance)
    held = {row: connection.execute("SELECT entry, code FROM audit_log WHERE rowid = ?", [row]).fetchone()
            for row in (one, other)}  # fmt: skip
    for row, text in ((one, held[other]), (other, held[one])):
        connection.execute("UPDATE audit_log SET entry = ?, code = ? WHERE rowid = ?", [*text, row])


def _change_chain(connection: sqlite3.Connection, chance: random.Random) -> None:
    position, column = chance.choice([1, 2]), chance.choice(["sealed_key", "sealed_head"])
    (text,) = connection.execute(f"SELECT {column} FROM audit_chains WHERE position = ?", [position]).fetchone()
    changed = _flip(text, chance, 4)  # the last bits of base64 may mean nothing
    connection.execute(f"UPDATE audit_chains SET {column} = ? WHERE position = ?", [changed, position])


_CHANGES: tuple[Change, ...] = (_change_entry, _take_out, _cut_off, _swap, _change_chain)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_every_change_to_the_log_is_found(tmp_path: Path) -> None:
    began, template = time.monotonic(), _log(tmp_path / "state.sqlite")
    chance, missed = random.Random(42), []
    for number in range(_TRIES):
        change = _CHANGES[number % len(_CHANGES)]
        path = Path(shutil.copy(template, tmp_path / "changed.sqlite"))
        with closing(sqlite3.connect(path)) as connection:
            change(connection, chance)
            connection.commit()
        with StateStore(path, _KEY, read_only=True) as store:
            if not store.audit.damage():
                missed.append((number, change.__name__))
    report_promise("promise 42", changes=_TRIES, missed=len(missed), seconds=time.monotonic() - began)
    assert missed == []
