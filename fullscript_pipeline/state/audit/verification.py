"""Checks that the audit log is as it was written: the code and place of each entry, its predecessor, and the end.

What does not belong here: adding entries (`entries`), what is done about damage.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.state.audit.chain import AuditHead, Chain
from fullscript_pipeline.state.audit.entries import BEGUN, LOST, AuditEntry, chain_rows, entry_of, entry_rows
from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.schema import audit_log
from fullscript_pipeline.state.secret_cipher import Keyring


def audit_damage(db: Database, keyring: Keyring, known_heads: Sequence[AuditHead] = ()) -> list[str]:
    """Returns a clause for each damage; empty: the log is intact.

    `known_heads`: heads of this log that were stored elsewhere (a backup, syslog); each must still be an entry of it.
    """
    with db.read() as connection:
        chains = chain_rows(connection)
        if not chains:
            return ["the log is gone: the state store holds none, although one began with it"]
        return [
            *_strangers(connection, [row.chain for row in chains]),
            *_damaged(connection, keyring, chains, known_heads),
        ]


def _damaged(
    connection: Connection, keyring: Keyring, chains: Sequence[Row[Any]], known_heads: Sequence[AuditHead]
) -> Iterator[str]:
    codes: dict[tuple[str, int], str] = {}
    before: list[AuditHead] = []
    for row in chains:
        try:
            chain = Chain.opened(keyring, row.chain, row.sealed_key, row.sealed_head)
        except ConfigurationError as error:
            yield f"the key of chain {row.chain} cannot be used ({error})"
            continue
        if keyring.fingerprint and not keyring.is_sealed(row.sealed_key):
            yield f"the key of chain {row.chain} is not sealed: `keys rotate` seals it, if no key was set before"
        rows = entry_rows(connection, row.chain)
        codes |= {(row.chain, entry_row.number): entry_row.code for entry_row in rows}
        yield from _damaged_entries(chain, [(entry_row.number, entry_of(entry_row)) for entry_row in rows])
        before += _heads_before(chain, entry_of(rows[0]) if rows else None)
    for head in dict.fromkeys([*before, *known_heads]):
        if codes.get((head.chain, head.number)) != head.code:
            yield f"entry {head.number} of chain {head.chain} is not the one that was noted elsewhere, or not there"


def _damaged_entries(chain: Chain, entries: Sequence[tuple[int, AuditEntry | None]]) -> Iterator[str]:
    expected, previous = 1, ""
    for number, entry in entries:
        if number != expected:
            yield _missing(chain, expected, number - 1)
        if entry is None or entry.code != chain.code(entry.text):
            yield f"entry {number} of chain {chain.name} was changed"
        elif (entry.fields.get("chain"), entry.fields.get("number")) != (chain.name, number):
            yield f"entry {number} of chain {chain.name} stands in another's place"
        elif number == expected and entry.fields.get("previous") != previous:
            yield f"entry {number} of chain {chain.name} does not follow the one before it"
        elif entry.fields.get("because") == LOST:
            yield f"chain {chain.name} began because {LOST}"
        expected, previous = number + 1, entry.code if entry else ""
    if chain.head is None:
        yield f"the head of chain {chain.name} was changed: entries may be missing at its end"
    elif chain.head.number >= expected:
        yield _missing(chain, expected, chain.head.number)
    elif chain.head != AuditHead(chain=chain.name, number=expected - 1, code=previous):
        yield f"the head of chain {chain.name} is not that of its last entry"


def _missing(chain: Chain, first: int, last: int) -> str:
    if first == last:
        return f"entry {first} of chain {chain.name} is missing"
    return f"entries {first} to {last} of chain {chain.name} are missing"


def _heads_before(chain: Chain, first: AuditEntry | None) -> list[AuditHead]:
    """The heads of other chains that the first entry names."""
    if first is None or first.fields.get("event") != BEGUN or first.code != chain.code(first.text):
        return []
    return [AuditHead.parse(text) for text in first.fields["after"]]


def _strangers(connection: Connection, known: Sequence[str]) -> Iterator[str]:
    for (chain,) in connection.execute(select(audit_log.c.chain).distinct().order_by(audit_log.c.chain)):
        if chain not in known:
            yield f"there are entries of a chain {chain} that has no key and no head"
