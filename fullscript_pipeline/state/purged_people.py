"""Remembers purged people by keyed digests, so that the next pull does not store them again; no id is stored.

The key is random and sealed like a token, so it survives a change of the installation's key. Digests are stored of the
person's id and of the ids of their plans, orders and lab orders; no row names the clinic. What does not belong here:
deleting rows (`purge`), dropping received records (`api.purged_record_filter`).
"""

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, delete, func, select

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef, names_people
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.json_text import parse_json
from fullscript_pipeline.state.database import Database, insert_into
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import facts, purged_ids
from fullscript_pipeline.state.sealed_columns import SECRET_FACT
from fullscript_pipeline.state.secret_cipher import Keyring
from fullscript_pipeline.state.webhook_inbox import Delivery

KEY_FACT = "purged_people_key:"
_KEYS = select(facts.c.name, facts.c.value).where(facts.c.name.startswith(KEY_FACT, autoescape=True))
_STAMP = select(func.count(), func.max(purged_ids.c.purged_at)).select_from(purged_ids)


@dataclass(frozen=True, kw_only=True)
class PurgedPeople:
    """The digests of the purged people of a clinic; implements `api.PurgedIds`."""

    clinic: ClinicRef
    keys: tuple[bytes, ...]
    digests: frozenset[str]

    def __contains__(self, object_id: object, /) -> bool:
        return any(_digest(key, self.clinic, str(object_id)) in self.digests for key in self.keys)

    def mark(self, object_id: str) -> str:
        """A digest that stands for an id where the id must not be stored."""
        return _digest(self.keys[0], self.clinic, object_id)[:16]


class PurgeMemory(StorePart):
    """The purged people, by keyed digests."""

    def __init__(self, db: Database, keyring: Keyring) -> None:
        super().__init__(db, keyring)
        self._purged_cache: dict[ClinicRef, tuple[tuple[int, str | None], PurgedPeople]] = {}

    def remember(self, clinic: ClinicRef, patient_id: str, ids: Collection[str]) -> None:
        """Remembers the person and their objects, so that none of them is stored again."""
        moment = clock.real_now().isoformat()
        with self.db.write() as connection:
            key_id, key = next(iter(self._keys(connection).items()), None) or self._new_key(connection)
            person = _digest(key, clinic, patient_id)
            for object_id in {patient_id, *ids}:
                row = {
                    "key_id": key_id,
                    "digest": _digest(key, clinic, object_id),
                    "person": person,
                    "purged_at": moment,
                }
                connection.execute(insert_into(connection, purged_ids).values(row).on_conflict_do_nothing())

    def forget(self, clinic: ClinicRef, patient_id: str) -> bool:
        """Forgets the person, so that the next pull may store them again. False: they were not remembered."""
        with self.db.write() as connection:
            people = [_digest(key, clinic, patient_id) for key in self._keys(connection).values()]
            return connection.execute(delete(purged_ids).where(purged_ids.c.person.in_(people))).rowcount > 0

    def contains(self, clinic: ClinicRef, patient_id: str) -> bool:
        purged = self.ids_of(clinic)
        return purged is not None and patient_id in purged

    def count(self) -> int:
        """The number of purged people."""
        with self.db.read() as connection:
            return connection.execute(select(func.count(purged_ids.c.person.distinct()))).scalar_one()

    def ids_of(self, clinic: ClinicRef) -> PurgedPeople | None:
        """The ids that must not be stored; None: none. Cheap, because a session calls it for every page."""
        own = ClinicRef(
            server=clinic.server, clinic_id=clinic.clinic_id, clinic_key=clinic.clinic_key, region=clinic.region
        )
        with self.db.read() as connection:
            number, newest = connection.execute(_STAMP).one()
            if not number:
                return None
            stamp, known = self._purged_cache.get(own, ((0, None), None))
            if known is None or stamp != (number, newest):
                digests = frozenset(connection.execute(select(purged_ids.c.digest)).scalars())
                known = PurgedPeople(clinic=own, keys=tuple(self._keys(connection).values()), digests=digests)
                self._purged_cache[own] = (number, newest), known
        return known

    def keep_of(self, former: Path) -> bool:
        """Copies purged people of `former` into this store, a backup that replaces it.

        False: some are stored under a key that the keys of this store do not open.
        """
        if not former.exists():
            return True
        with closing(sqlite3.connect(f"file:{former}?mode=ro", uri=True)) as source:
            try:
                rows = source.execute("SELECT key_id, digest, person, purged_at FROM purged_ids").fetchall()
                keys = source.execute(
                    "SELECT name, value FROM facts WHERE substr(name, 1, ?) = ?", [len(KEY_FACT), KEY_FACT]
                ).fetchall()
            except sqlite3.Error:  # of a version without this table, or damaged, which is why it is replaced
                return True
        opened = {name.removeprefix(KEY_FACT): (name, value) for name, value in keys if self._opens(name, value)}
        with self.db.write() as connection:
            for name, value in opened.values():
                connection.execute(
                    insert_into(connection, facts).values(name=name, value=value).on_conflict_do_nothing()
                )
            for row in (row for row in rows if row[0] in opened):
                values = dict(zip(("key_id", "digest", "person", "purged_at"), row, strict=True))
                connection.execute(insert_into(connection, purged_ids).values(values).on_conflict_do_nothing())

        return all(row[0] in opened for row in rows)

    def _opens(self, name: str, value: str) -> bool:
        try:
            self.keyring.open(value, SECRET_FACT.at(name))
        except ConfigurationError:
            return False
        return True

    def _keys(self, connection: Connection) -> dict[str, bytes]:
        """The keys by id. Raises ConfigurationError if they were sealed with a key that we do not have."""
        return {
            name.removeprefix(KEY_FACT): bytes.fromhex(self.keyring.open(value, SECRET_FACT.at(name)))
            for name, value in connection.execute(_KEYS).all()
        }

    def _new_key(self, connection: Connection) -> tuple[str, bytes]:
        key_id, key = secrets.token_hex(4), secrets.token_bytes(32)
        name = KEY_FACT + key_id
        sealed = self.keyring.seal(key.hex(), SECRET_FACT.at(name))
        connection.execute(insert_into(connection, facts).values(name=name, value=sealed))
        return key_id, key


def without_body_about(delivery: Delivery, people: Iterable[PurgedPeople | None]) -> Delivery:
    """Returns the delivery, without its body if it mentions a purged person."""
    try:
        body = parse_json(delivery.body)
    except ValueError:
        return delivery
    if not any(names_people(body, purged) for purged in people if purged is not None):
        return delivery
    return replace(delivery, body=b"{}", state="ignored", reason="it is about somebody who was purged")


def _digest(key: bytes, clinic: ClinicRef, object_id: str) -> str:
    return hmac.digest(key, "\0".join((clinic.server, clinic.clinic_id, object_id)).encode(), hashlib.sha256).hex()
