"""What commands do with the portal's store: erase a person or a clinic, show a person's notes, back up, change the key.

The portal may run meanwhile. A backup holds no session: nobody is signed in by restoring one. What does not belong
here: the commands themselves, and the pipeline's own stores (`maintenance`).
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Table, delete, select, update

from fullscript_pipeline.portal_store import PortalDatabase, Seal, erase_requests
from fullscript_pipeline.web.notes import sealed_places
from fullscript_pipeline.web.schema import TABLES, notes, portal_keys, revocations, sessions, sign_ins, visible_patients

FILE, QUEUE_FILE = "portal.sqlite", "portal-requests.sqlite"


def erase_from_portal(path: Path, *, server: str, clinic_id: str, patient_id: str | None) -> int:
    """Deletes the notes and requests of a patient, or of a whole clinic with its sessions; returns the number of rows.

    The tokens of a clinic's sessions are deleted, too: `disconnect`, or the clinic at Fullscript, ends them.
    """
    queue = path.with_name(QUEUE_FILE)
    asked = erase_requests(queue, server=server, clinic_id=clinic_id, patient_id=patient_id)
    if not path.exists():
        return asked
    database = PortalDatabase(path, TABLES)
    of_clinic = (notes.c.server == server) & (notes.c.clinic_id == clinic_id)
    try:
        with database.write() as connection:
            if patient_id is not None:
                seen = delete(visible_patients).where(visible_patients.c.patient_id == patient_id)
                mine = delete(notes).where(of_clinic & (notes.c.patient_id == patient_id))
                return asked + connection.execute(mine).rowcount + connection.execute(seen).rowcount
            theirs = (sessions.c.server == server) & (sessions.c.clinic_id == clinic_id)
            keys = select(sessions.c.session_hash).where(theirs)
            seen = delete(visible_patients).where(visible_patients.c.session_hash.in_(keys))
            commands = (delete(notes).where(of_clinic), seen, delete(sessions).where(theirs))
            return asked + sum(connection.execute(command).rowcount for command in commands)
    finally:
        database.close()


def notes_of_person(
    path: Path, keys: Sequence[str], *, server: str, clinic_id: str, patient_id: str
) -> list[Mapping[str, Any]]:
    """The notes about a person, the oldest first. Raises ConfigurationError if they cannot be opened with the keys."""
    if not path.exists():
        return []
    database = PortalDatabase(path, TABLES)
    this = (notes.c.server == server) & (notes.c.clinic_id == clinic_id) & (notes.c.patient_id == patient_id)
    try:
        with database.read() as connection:
            rows = connection.execute(select(notes).where(this).order_by(notes.c.note_id)).all()
        seal = Seal(keys) if rows and keys else None
        return [
            dict(row._mapping) | {name: seal.open(row._mapping[name], place) for name, place in sealed_places(row)}
            if seal
            else dict(row._mapping)
            for row in rows
        ]
    finally:
        database.close()


def back_up_portal(path: Path, folder: Path) -> None:
    """Copies the store into the folder, without sessions; nothing, where there is no portal."""
    if path.exists():
        _copy(path, folder / FILE)


def restore_portal(folder: Path, path: Path) -> bool:
    """Replaces the store by that of a backup; returns whether the backup holds one. Everybody is signed out."""
    if not (folder / FILE).exists():
        return False
    _copy(folder / FILE, path)
    return True


def reseal_portal(path: Path, keys: Sequence[str]) -> int:
    """Seals with the newest key what is sealed with an older one; returns the number of values."""
    if not path.exists():
        return 0
    database, seal, count = PortalDatabase(path, TABLES), Seal(keys), 0
    places = (
        (sessions, sessions.c.session_hash, ("user_name", "access_token", "refresh_token")),
        (revocations, revocations.c.token_hash, ("token",)),
        (portal_keys, portal_keys.c.name, ("sealed_key",)),
    )
    try:
        with database.write() as connection:
            for table, key, columns in places:
                for row in connection.execute(select(table)).all():
                    ident = row._mapping[key.name]
                    old = {name: (row._mapping[name], f"{table.name}.{name}|{ident}") for name in columns}
                    count += _reseal(connection, seal, table=table, this=key == ident, old=old)
            for row in connection.execute(select(notes)).all():
                old = {name: (row._mapping[name], place) for name, place in sealed_places(row)}
                count += _reseal(connection, seal, table=notes, this=notes.c.note_id == row.note_id, old=old)
    finally:
        database.close()
    return count


def _reseal(connection: Any, seal: Seal, *, table: Table, this: Any, old: Mapping[str, tuple[str, str]]) -> int:
    new = {
        name: seal.seal(seal.open(text, place), place)
        for name, (text, place) in old.items()
        if not seal.is_current(text)
    }
    if new:
        connection.execute(update(table).where(this).values(new))
    return len(new)


def _copy(source: Path, target: Path) -> None:
    """SQLite's own backup: consistent while the portal writes."""
    PortalDatabase(target, TABLES).close()  # made private
    with closing(sqlite3.connect(source)) as of, closing(sqlite3.connect(target, timeout=30)) as to:
        of.backup(to)
        to.execute("PRAGMA secure_delete=ON")
        for table in (sessions, visible_patients, sign_ins):
            to.execute(f"DELETE FROM {table.name}")  # noqa: S608 -- names of our own tables
        to.commit()
        to.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        to.execute("PRAGMA journal_mode=DELETE")
