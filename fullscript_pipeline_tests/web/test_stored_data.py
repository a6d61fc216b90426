"""What commands do with the portal's store: purge, export, backup, restore, a new key."""

import sqlite3
import time
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.portal_store import PortalDatabase, Seal
from fullscript_pipeline.web import back_up_portal, erase_from_portal, notes_of_person, reseal_portal, restore_portal
from fullscript_pipeline.web.audit_log import PortalAudit
from fullscript_pipeline.web.digest_key import read_digests
from fullscript_pipeline.web.notes import BACK, CALLED, SET_ASIDE, TEXT, ContactState, PatientNotes
from fullscript_pipeline.web.schema import TABLES
from fullscript_pipeline.web.sessions import PortalUser, Sessions, UserTokens

KEY, NEW_KEY = "an-old-key-of-the-portal", "a-new-key-of-the-portal"
SECRETS = (b"access-token", b"refresh-token", b"Maria Canary", b"canary note")


def user(clinic_id: str = "c1") -> PortalUser:
    return PortalUser(
        server="us-snd", clinic_id=clinic_id, clinic_key=clinic_id, user_id="u1", user_type="Staff", name="Maria Canary"
    )


def sessions_of(database: PortalDatabase, *keys: str) -> Sessions:
    return Sessions(database, Seal(keys), idle_seconds=1200, longest_seconds=43200, now=time.time)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a session, notes about two patients of one clinic and one of another, and an audit log."""
    path = tmp_path / "data" / "portal.sqlite"
    database, seal = PortalDatabase(path, TABLES), Seal([KEY])
    notes = PatientNotes(database, seal, time.time)
    for clinic_id, patient_id in (("c1", "p1"), ("c1", "p2"), ("c2", "p1")):
        notes.add(user(clinic_id), patient_id, kind=TEXT, until=None, text=f"canary note about {patient_id}")
    tokens = UserTokens(access="access-token", refresh="refresh-token", ends_s=time.time() + 7200)
    sessions_of(database, KEY).open(user(), tokens, patients=["p1", "p2"])
    PortalAudit(database, read_digests(database, seal), time.time).append("signed in", user(), patient_id="p1")
    database.close()
    return path


def count(path: Path, query: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(query).fetchone()[0])


def test_a_store_of_the_version_before_opens_and_finds_notes_by_an_index(store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("DROP INDEX notes_by_patient")
        connection.execute("PRAGMA user_version = 2")
    database = PortalDatabase(store, TABLES)
    notes = PatientNotes(database, Seal([KEY]), time.time)
    assert [note.text for note in notes.of_patient(user(), "p1")] == ["canary note about p1"]
    database.close()
    with closing(sqlite3.connect(store)) as connection:
        query = "SELECT * FROM notes WHERE server = 'us-snd' AND clinic_id = 'c1' AND patient_id = 'p1'"
        (plan,) = connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
    assert "USING INDEX notes_by_patient" in plan[3]


def test_the_newest_call_and_the_newest_setting_aside_count_for_the_list(store: Path) -> None:
    database = PortalDatabase(store, TABLES)
    notes, until = PatientNotes(database, Seal([KEY]), time.time), date(2026, 12, 24)
    for kind in (CALLED, SET_ASIDE, TEXT, BACK, CALLED, SET_ASIDE, TEXT):
        notes.add(user(), "p1", kind=kind, until=until if kind == SET_ASIDE else None, text=f"{kind} now")
        notes.add(user("c2"), "p2", kind=kind, until=None, text="of another clinic")
    notes.add(user(), "p3", kind=BACK, until=None, text="")
    states = notes.states(user())
    assert states.keys() == {"p1", "p3"}, "a text alone is no state"
    assert states["p1"] == ContactState.of(notes.of_patient(user(), "p1"))
    assert states["p1"].is_set_aside(date(2026, 12, 23)) and not states["p1"].is_set_aside(until)
    assert states["p3"].called is None and not states["p3"].is_set_aside(date(2026, 12, 23))
    database.close()


def test_a_purge_reaches_the_portal(store: Path) -> None:
    assert erase_from_portal(store, server="us-snd", clinic_id="c1", patient_id="p1") == 2
    assert count(store, "SELECT count(*) FROM notes") == 2
    assert count(store, "SELECT count(*) FROM notes WHERE patient_id = 'p1' AND clinic_id = 'c1'") == 0
    assert erase_from_portal(store, server="us-snd", clinic_id="c1", patient_id=None) == 3
    assert count(store, "SELECT count(*) FROM sessions") == 0
    assert erase_from_portal(store.with_name("none.sqlite"), server="us-snd", clinic_id="c1", patient_id="p1") == 0


def test_the_notes_of_a_person_are_shown(store: Path) -> None:
    def read(keys: list[str]) -> list[object]:
        rows = notes_of_person(store, keys, server="us-snd", clinic_id="c1", patient_id="p1")
        return [row["text"] for row in rows]

    assert read([KEY]) == ["canary note about p1"]
    assert len(read([])) == 1 and "canary" not in str(read([]))
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_WEB_KEY"):
        read(["another"])


def test_a_backup_signs_nobody_in(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    folder.mkdir()
    back_up_portal(store, folder)
    assert [path.name for path in folder.iterdir()] == ["portal.sqlite"]
    copy = folder / "portal.sqlite"
    assert copy.stat().st_mode & 0o077 == 0
    assert [count(copy, f"SELECT count(*) FROM {table}") for table in ("notes", "sessions", "audit_log")] == [3, 0, 1]
    erase_from_portal(store, server="us-snd", clinic_id="c1", patient_id=None)
    assert restore_portal(folder, store)
    assert [count(store, f"SELECT count(*) FROM {table}") for table in ("notes", "sessions")] == [3, 0]


def test_nothing_that_is_sealed_is_readable_and_the_key_changes(store: Path) -> None:
    assert not [secret for secret in SECRETS for path in store.parent.iterdir() if secret in path.read_bytes()]
    assert reseal_portal(store, [NEW_KEY, KEY]) == 3 * 2 + 3 + 1
    assert reseal_portal(store, [NEW_KEY, KEY]) == 0
    database = PortalDatabase(store, TABLES)
    assert len(PatientNotes(database, Seal([NEW_KEY]), time.time).of_patient(user(), "p1")) == 1
    audit = PortalAudit(database, read_digests(database, Seal([NEW_KEY])), time.time)
    assert audit.damage() == [], "codes of the audit log stay valid"
    with pytest.raises(ConfigurationError, match="another key"):
        PatientNotes(database, Seal([KEY]), time.time).of_patient(user(), "p1")
    database.close()
