"""Copies the audit log of a store into the backup that replaces it, so that the log continues.

What does not belong here: the rest of the store, which comes from the backup.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.state.audit.chain import Chain
from fullscript_pipeline.state.schema import audit_chains, audit_log
from fullscript_pipeline.state.secret_cipher import Keyring

_CHAINS = "SELECT chain, sealed_key, sealed_head FROM audit_chains ORDER BY position"
_ENTRIES = "SELECT number, entry, code FROM audit_log WHERE chain = ?"


def carry_over(connection: Connection, keyring: Keyring, former: Path) -> bool:
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
        _add(connection, chain, sealed, entries[chain])
    return len(opened) == len(chains)


def _opens(keyring: Keyring, row: Sequence[Any]) -> bool:
    try:
        Chain.opened(keyring, *row)
    except ConfigurationError:
        return False
    return True


def _add(connection: Connection, chain: str, sealed: Sequence[str], entries: Sequence[Sequence[Any]]) -> None:
    own = select(func.count()).select_from(audit_log).where(audit_log.c.chain == chain)
    if connection.execute(own).scalar_one() > len(entries):
        return
    connection.execute(delete(audit_log).where(audit_log.c.chain == chain))
    connection.execute(delete(audit_chains).where(audit_chains.c.chain == chain))
    connection.execute(insert(audit_chains).values(chain=chain, sealed_key=sealed[0], sealed_head=sealed[1]))
    for number, entry, code in entries:
        connection.execute(insert(audit_log).values(chain=chain, number=number, entry=entry, code=code))
