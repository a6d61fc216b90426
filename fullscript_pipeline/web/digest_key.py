"""The key of the digests in the audit log and in forms: random, made with the store, sealed in it.

It stays when FULLSCRIPT_WEB_KEY changes, so that the codes of the audit log stay valid. What does not belong here: what
a digest is of (`audit_log`, `visitors`).
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from sqlalchemy import insert, select

from fullscript_pipeline.portal_store import PortalDatabase, Seal
from fullscript_pipeline.web.schema import portal_keys

PLACE = "portal_keys.sealed_key|digests"


@dataclass(frozen=True, kw_only=True)
class Digests:
    """Keyed digests, which nobody finds by trying."""

    key: bytes = field(repr=False)

    def of(self, *parts: str) -> str:
        return hmac.new(self.key, "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def read_digests(database: PortalDatabase, seal: Seal) -> Digests:
    """The digests of this store; the first start makes their key. Raises ConfigurationError for another WEB_KEY."""
    with database.write() as connection:
        stored = connection.execute(select(portal_keys.c.sealed_key).where(portal_keys.c.name == "digests")).scalar()
        if stored is None:
            stored = seal.seal(secrets.token_hex(32), PLACE)
            connection.execute(insert(portal_keys).values(name="digests", sealed_key=stored))
    return Digests(key=bytes.fromhex(seal.open(stored, PLACE)))
