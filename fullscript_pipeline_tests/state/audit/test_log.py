"""The audit log: whatever is changed, taken out, moved or cut off is found; processes may write at once."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError, UsageError
from fullscript_pipeline.state import AuditHead, StateStore
from fullscript_pipeline.state.schema import MIGRATIONS

KEY = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="


def _store(path: Path, entries: int = 5) -> Path:
    with StateStore(path, KEY) as store:
        for number in range(entries):
            store.audit.append("started", {"command": "export", "rows": number})
    return path


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _store(tmp_path_factory.mktemp("log") / "state.sqlite")


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    """A log of six entries, of one's own."""
    return Path(shutil.copy(template, tmp_path / "state.sqlite"))


def _damage(path: Path, *noted: AuditHead) -> list[str]:
    with StateStore(path, KEY, read_only=True) as store:
        return store.audit.damage(noted)


def _heads(path: Path) -> list[AuditHead]:
    with StateStore(path, KEY) as store:
        return store.audit.heads()


@pytest.mark.sqlite_file
def test_an_untouched_log_is_intact(path: Path) -> None:
    assert _damage(path) == []
    with StateStore(path, KEY) as store:
        entries = store.audit.entries()
        assert [entry.fields["number"] for entry in entries] == [1, 2, 3, 4, 5, 6]
        assert entries[0].fields["because"] == "the store was made"
        assert {"user", "host", "at", "key"} <= entries[1].fields.keys()
        assert _damage(path, entries[2].head, entries[-1].head) == []


TAMPERINGS = {
    "changed": "UPDATE audit_log SET entry = replace(entry, 'export', 'backup') WHERE number = 3",
    "changed with another's code": "UPDATE audit_log SET code = (SELECT code FROM audit_log WHERE number = 2) "
    "WHERE number = 3",
    "no JSON any more": "UPDATE audit_log SET entry = 'x' WHERE number = 4",
    "taken out": "DELETE FROM audit_log WHERE number = 3",
    "the first taken out": "DELETE FROM audit_log WHERE number = 1",
    "cut off": "DELETE FROM audit_log WHERE number > 4",
    "all taken out": "DELETE FROM audit_log",
    "two changed places": "UPDATE audit_log SET number = 99 WHERE number = 4; UPDATE audit_log SET number = 4 WHERE "
    "number = 5; UPDATE audit_log SET number = 5 WHERE number = 99",
    "taken out and closed up": "DELETE FROM audit_log WHERE number = 3; UPDATE audit_log SET number = number - 1 "
    "WHERE number = 4; UPDATE audit_log SET number = number - 1 WHERE number = 5; "
    "UPDATE audit_log SET number = number - 1 WHERE number = 6",
    "written in another's place": "UPDATE audit_log SET (entry, code) = (SELECT entry, code FROM audit_log WHERE "
    "number = 2) WHERE number = 5",
    "put in": "INSERT INTO audit_log SELECT chain, 7, entry, code FROM audit_log WHERE number = 6",
    "of another chain": "UPDATE audit_log SET chain = 'another' WHERE number = 6",
    "the head gone": "UPDATE audit_chains SET sealed_head = ''",
    "the head in the clear": "UPDATE audit_chains SET sealed_head = 'plain:audit head|' || chain || '|4:' || (SELECT "
    "code FROM audit_log WHERE number = 4); DELETE FROM audit_log WHERE number > 4",
    "the key instead of the head": "UPDATE audit_chains SET sealed_head = sealed_key",
    "the chain gone": "DELETE FROM audit_chains",
    "everything gone": "DELETE FROM audit_chains; DELETE FROM audit_log",
}


@pytest.mark.sqlite_file
@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_is_found_and_stays_found(path: Path, how: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TAMPERINGS[how])
    assert _damage(path)
    with StateStore(path, KEY) as store:  # whoever goes on writing hides nothing
        store.audit.append("started", {"command": "backup"})
    assert _damage(path)


@pytest.mark.sqlite_file
def test_an_older_head_put_back_does_not_hide_a_cut(path: Path) -> None:
    """Who has only the file can put an older state of it back; a head that was noted elsewhere shows it."""
    with closing(sqlite3.connect(path)) as connection:
        (older,) = connection.execute("SELECT sealed_head FROM audit_chains").fetchone()
    _store(path, 2)
    noted = _heads(path)[0]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE audit_chains SET sealed_head = ?", [older])
        connection.commit()
        assert _damage(path) == [f"the head of chain {noted.chain} is not that of its last entry"]
        connection.execute("DELETE FROM audit_log WHERE number > 6")
        connection.commit()
    assert _damage(path) == [], "the file is as it once was: nothing in it tells"
    assert f"entry 8 of chain {noted.chain} is not the one that was noted" in _damage(path, noted)[0]


@pytest.mark.sqlite_file
def test_without_the_key_nothing_can_be_written_and_nothing_is_hidden(path: Path) -> None:
    with StateStore(path, "another long random text, of no use here") as store:
        with pytest.raises(ConfigurationError, match="another key"):
            store.audit.append("started", {})
        assert "cannot be used" in store.audit.damage()[0]
    assert _damage(path) == []


def test_a_log_in_the_clear_does_not_pass_for_a_sealed_one(tmp_path: Path) -> None:
    """Whoever takes the sealed key away, and writes all anew under a key of their own, leaves it unsealed."""
    path = tmp_path / "state.sqlite"
    with StateStore(path) as store:
        store.audit.append("started", {"command": "export"})
        assert store.audit.damage() == []
    assert "is not sealed" in _damage(path)[0]
    with StateStore(path, KEY) as store:
        store.reseal(KEY)
        assert store.audit.damage() == []


def test_the_log_survives_a_rotation_of_keys(path: Path) -> None:
    newer = "a newer long random text of 0123456789"
    with StateStore(path, f"{newer},{KEY}") as store:
        store.reseal(newer)
    with StateStore(path, newer) as store:
        store.audit.append("started", {"command": "keys rotate"})
        assert store.audit.damage() == []
        digest = store.audit.digest("us", "c-1", "p-1")
        assert digest != store.audit.digest("us", "c-1", "p-2")


@pytest.mark.sqlite_file
def test_a_store_of_before_begins_its_log_when_it_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    before = next(number for number, one in enumerate(MIGRATIONS) if "audit_chains" in " ".join(one))
    with closing(sqlite3.connect(path)) as connection:
        for statement in (one for migration in MIGRATIONS[:before] for one in migration):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {before}")
        connection.commit()
    with StateStore(path, KEY) as store:
        assert [entry.fields["because"] for entry in store.audit.entries()] == ["the store was upgraded"]
        assert store.audit.damage() == []


_WRITER = f"""
import sys
from fullscript_pipeline.state import StateStore
from pathlib import Path
with StateStore(Path(sys.argv[1]), {KEY!r}) as store:
    for number in range(20):
        store.audit.append("started", {{"command": "export"}})
"""


@pytest.mark.sqlite_file
@pytest.mark.check_all
def test_several_processes_write_one_chain(path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path)]) for _ in range(4)]
    assert [one.wait() for one in writers] == [0, 0, 0, 0]
    assert _damage(path) == []
    assert _heads(path)[0].number == 86


@pytest.mark.parametrize("text", ["", "abc", "abc:1:", "abc:x:" + 64 * "0", "abc:-1:" + 64 * "0", "a:1:" + 63 * "0"])
def test_what_is_no_head_is_reported(text: str) -> None:
    with pytest.raises(UsageError, match="no head of an audit log"):
        AuditHead.parse(text)


@pytest.mark.sqlite_file
def test_the_log_of_a_replaced_store_goes_on(path: Path, tmp_path: Path) -> None:
    present, backup = path, Path(shutil.copy(path, tmp_path / "backup.sqlite"))
    _store(present, 3)
    with StateStore(backup, KEY) as store:
        store.audit.keep_log_of(present)
        entries = store.audit.entries()
        assert [entry.number for entry in entries] == [*range(1, 10), 1]
        assert entries[-1].fields["because"] == "a backup was restored"
        assert entries[-1].fields["after"] == [str(entries[-2].head)]
        assert store.audit.damage() == []
    with closing(sqlite3.connect(backup)) as connection:
        connection.execute("DELETE FROM audit_log WHERE number = 9")
        connection.execute("DELETE FROM audit_chains WHERE position = (SELECT min(position) FROM audit_chains)")
        connection.commit()
    assert "not the one that was noted" in " ".join(_damage(backup))


@pytest.mark.sqlite_file
def test_a_log_of_another_key_is_not_carried_over_and_that_is_reported(path: Path, tmp_path: Path) -> None:
    backup = path
    with StateStore(tmp_path / "present.sqlite", "another long random text, of no use here"):
        pass
    with StateStore(backup, KEY) as store:
        store.audit.keep_log_of(tmp_path / "present.sqlite")
        assert "could not be read" in store.audit.entries()[-1].fields["because"]
        assert store.audit.damage() == []
