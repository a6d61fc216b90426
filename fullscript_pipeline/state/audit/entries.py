"""The audit log: who exported or removed what, in entries that are only added.

An entry is a JSON text with its number, its chain and the code of the entry before it; its own code is an HMAC with the
chain's key. Key and head are sealed with the installation's key, so without it nobody can add an entry or shorten the
log undetected. A chain begins with the store, and a new one after a restore, because two installations must not
continue the same chain. Who acts is the user of the operating system: environment variables are not used, because
anybody can set them. What does not belong here: checking a log (`verification`), which commands are recorded
(`cli.audited`), the log as a part of the store (`log`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from fullscript_pipeline import clock
from fullscript_pipeline.acting_user import acting_user
from fullscript_pipeline.state.audit.chain import AuditHead, Chain
from fullscript_pipeline.state.schema import MIGRATIONS, audit_chains, audit_log
from fullscript_pipeline.state.secret_cipher import Keyring

# The first version of the store that always has a chain.
_FIRST_VERSION = 1 + next(
    number for number, statements in enumerate(MIGRATIONS) if any("TABLE audit_log" in sql for sql in statements)
)
BEGUN = "begun"
# The reason of a chain that begins although the one before should have continued: a sign of damage.
LOST = "the log before could not be continued"
FORMER_LOG_UNREADABLE = "the log of the store it replaced could not be read"


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """An entry as it was written. `code` is what the row holds, valid or not."""

    chain: str
    number: int
    fields: Mapping[str, Any]
    text: str
    code: str

    @property
    def head(self) -> AuditHead:
        """The head of the chain after this entry was added."""
        return AuditHead(chain=self.chain, number=self.number, code=self.code)


class AuditChains:
    """The chains of the log, within a transaction of the caller."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring

    def begin_log_of_upgraded_store(self, connection: Connection, version: int) -> None:
        """Begins the log in the transaction that creates its tables. After that, a store without a chain is damaged."""
        if version < _FIRST_VERSION:
            self.begin(connection, "the store was made" if version == 0 else "the store was upgraded")

    def newest(self, connection: Connection) -> Chain | None:
        rows = chain_rows(connection)
        return self.opened(rows[-1]) if rows else None

    def opened(self, row: Row[Any]) -> Chain:
        return Chain.opened(self.keyring, row.chain, row.sealed_key, row.sealed_head)

    def begin(self, connection: Connection, reason: str) -> Chain:
        heads = [self.opened(row).head for row in chain_rows(connection)]
        chain = Chain.new()
        values = {"sealed_key": chain.sealed_key(self.keyring), "sealed_head": ""}
        connection.execute(insert(audit_chains).values(chain=chain.name, **values))
        before = [str(head) for head in heads if head]
        first = self.append(connection, chain, BEGUN, {"because": reason, "after": before})
        return Chain(name=chain.name, key=chain.key, head=first.head)

    def append(self, connection: Connection, chain: Chain, event: str, fields: Mapping[str, Any]) -> AuditEntry:
        number, previous = self._end_of(connection, chain)
        entry = {
            "chain": chain.name,
            "number": number + 1,
            "previous": previous,
            "at": clock.real_now().isoformat(),
            "event": event,
            **acting_user(),
            "key": self.keyring.fingerprint,
            **fields,
        }
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        appended = AuditEntry(chain=chain.name, number=number + 1, fields=entry, text=text, code=chain.code(text))
        values = {"chain": appended.chain, "number": appended.number, "entry": text, "code": appended.code}
        connection.execute(insert(audit_log).values(values))
        sealed = {"sealed_head": chain.sealed_head(self.keyring, appended.head)}
        connection.execute(update(audit_chains).where(audit_chains.c.chain == chain.name).values(sealed))
        return appended

    def _end_of(self, connection: Connection, chain: Chain) -> tuple[int, str]:
        """The number and code that the next entry continues.

        Those of the head, so that removed entries leave a gap; those of the last row if an older head was put back.
        """
        head = chain.head or AuditHead(chain=chain.name, number=0, code="")
        own = select(audit_log).where(audit_log.c.chain == chain.name)
        last = connection.execute(own.order_by(audit_log.c.number.desc()).limit(1)).first()
        return (last.number, last.code) if last is not None and last.number > head.number else (head.number, head.code)


def chain_rows(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(select(audit_chains).order_by(audit_chains.c.position)).all()


def entry_rows(connection: Connection, chain: str) -> Sequence[Row[Any]]:
    own = select(audit_log).where(audit_log.c.chain == chain)
    return connection.execute(own.order_by(audit_log.c.number)).all()


def entry_of(row: Row[Any]) -> AuditEntry | None:
    """Parses an entry; None if the row holds no JSON object."""
    try:
        fields = json.loads(row.entry)
    except (ValueError, TypeError):
        return None
    return (
        AuditEntry(chain=row.chain, number=row.number, fields=fields, text=row.entry, code=row.code)
        if isinstance(fields, dict)
        else None
    )
