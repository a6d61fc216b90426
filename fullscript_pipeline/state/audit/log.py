"""The audit log as a part of the state store: entries are added, read, carried over and checked.

What does not belong here: how entries are chained (`entries`).
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.state.audit.chain import AuditHead, Chain
from fullscript_pipeline.state.audit.entries import (
    FORMER_LOG_UNREADABLE,
    LOST,
    AuditChains,
    AuditEntry,
    chain_rows,
    entry_of,
    entry_rows,
)
from fullscript_pipeline.state.audit.verification import audit_damage
from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import audit_chains, audit_log
from fullscript_pipeline.state.secret_cipher import Keyring

_CHAINS = "SELECT chain, sealed_key, sealed_head FROM audit_chains ORDER BY position"
_ENTRIES = "SELECT number, entry, code FROM audit_log WHERE chain = ?"


class AuditLog(StorePart):
    """Who exported or removed what."""

    def __init__(self, db: Database, keyring: Keyring) -> None:
        super().__init__(db, keyring)
        self._chains = AuditChains(keyring)

    def append(self, event: str, fields: Mapping[str, Any]) -> AuditEntry:
        """Adds an entry durably. Raises ConfigurationError if the chain's key cannot be opened."""
        with self.db.write() as connection:
            chain = self._chains.newest(connection)
            if chain is None or chain.head is None:
                chain = self._chains.begin(connection, LOST)
            return self._chains.append(connection, chain, event, fields)

    def keep_log_of(self, former: Path) -> None:
        """Continues the log of `former`, which this backup replaces, in a new chain."""
        with self.db.write() as connection:
            is_complete = _carry_over(connection, self.keyring, former)
            self._chains.begin(
                connection,
                "a backup was restored" if is_complete else f"a backup was restored; {FORMER_LOG_UNREADABLE}",
            )

    def digest(self, *parts: str) -> str:
        """The digest of a clinic or a person in new entries."""
        with self.db.read() as connection:
            chain = self._chains.newest(connection)
        return chain.digest(*parts) if chain else ""

    def heads(self) -> list[AuditHead]:
        """The head of each chain; the current chain is last. Raises ConfigurationError as `append`."""
        with self.db.read() as connection:
            chains = [self._chains.opened(row) for row in chain_rows(connection)]
        return [chain.head for chain in chains if chain.head]

    def entries(self) -> list[AuditEntry]:
        """Every readable entry, chain by chain; `verification` checks whether they are genuine."""
        with self.db.read() as connection:
            rows = [row for chain in chain_rows(connection) for row in entry_rows(connection, chain.chain)]
        return [entry for row in rows if (entry := entry_of(row))]

    def damage(self, known_heads: Sequence[AuditHead] = ()) -> list[str]:
        """The damages of the log; `known_heads`: heads that were stored elsewhere."""
        return audit_damage(self.db, self.keyring, known_heads)


def _carry_over(connection: Connection, keyring: Keyring, former: Path) -> bool:
    """Adds the chains of the replaced store unchanged; of a chain that both have, the longer one is kept.

    False: the store had a log that this key does not open.
    """
    if not former.exists():
        return True
    try:
        with closing(sqlite3.connect(f"file:{former}?mode=ro", uri=True)) as source:
            chains = source.execute(_CHAINS).fetchall()
            entries = {chain: source.execute(_ENTRIES, [chain]).fetchall() for chain, *_ in chains}
    except sqlite3.Error as problem:
        return "no such table" in str(problem)  # from a version without a log
    opened = [row for row in chains if _opens(keyring, row)]
    for chain, *sealed in opened:
        _add_chain(connection, chain, sealed, entries[chain])
    return len(opened) == len(chains)


def _opens(keyring: Keyring, row: Sequence[Any]) -> bool:
    try:
        Chain.opened(keyring, *row)
    except ConfigurationError:
        return False
    return True


def _add_chain(connection: Connection, chain: str, sealed: Sequence[str], entries: Sequence[Sequence[Any]]) -> None:
    own = select(func.count()).select_from(audit_log).where(audit_log.c.chain == chain)
    if connection.execute(own).scalar_one() > len(entries):
        return
    connection.execute(delete(audit_log).where(audit_log.c.chain == chain))
    connection.execute(delete(audit_chains).where(audit_chains.c.chain == chain))
    connection.execute(insert(audit_chains).values(chain=chain, sealed_key=sealed[0], sealed_head=sealed[1]))
    for number, entry, code in entries:
        connection.execute(insert(audit_log).values(chain=chain, number=number, entry=entry, code=code))
