"""A chain of the audit log: the random key for the codes of its entries, its head, and how both are sealed.

Key and head are sealed together with their purpose and chain, so that no other sealed value can replace them. What does
not belong here: the entries (`log`).
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Self

from fullscript_pipeline.errors import ConfigurationError, UsageError
from fullscript_pipeline.state.sealed_columns import AUDIT_HEAD, AUDIT_KEY
from fullscript_pipeline.state.secret_cipher import Keyring

_CODE_LENGTH = 64


@dataclass(frozen=True, kw_only=True)
class AuditHead:
    """The last entry of a chain at some moment. Stored elsewhere, it proves what the log held then."""

    chain: str
    number: int
    code: str

    def __str__(self) -> str:
        return f"{self.chain}:{self.number}:{self.code}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses the text of `str()`. Raises UsageError for any other text."""
        chain, number, code = [*text.strip().split(":"), "", ""][:3]
        if not (chain and number.isascii() and number.isdigit() and len(code) == _CODE_LENGTH):
            raise UsageError(f"{text[:100]!r} is no head of an audit log; write it as CHAIN:NUMBER:CODE.")
        return cls(chain=chain, number=int(number), code=code)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A chain of entries. `head` is None if the stored head does not belong to this chain."""

    name: str
    key: bytes
    head: AuditHead | None

    @classmethod
    def new(cls) -> Self:
        """Makes a chain without entries."""
        name = secrets.token_hex(4)
        return cls(name=name, key=secrets.token_bytes(32), head=AuditHead(chain=name, number=0, code=""))

    @classmethod
    def opened(cls, keyring: Keyring, name: str, sealed_key: str, sealed_head: str) -> Self:
        """Opens a stored chain. Raises ConfigurationError if its key cannot be opened."""
        key = _content(keyring.open(sealed_key, AUDIT_KEY.at(name)), "audit key", name)
        if key is None:
            raise ConfigurationError(
                "The audit log's key is not what was written: somebody changed the state store. `fullscript-pipeline "
                "audit verify` says what is wrong; restore the state store from a backup."
            )
        # A plain head next to a sealed key was not written by us.
        is_ours = keyring.is_sealed(sealed_head) or not keyring.is_sealed(sealed_key)
        head = _opened_head(keyring, name, sealed_head) if is_ours else None
        return cls(name=name, key=bytes.fromhex(key), head=head)

    def sealed_key(self, keyring: Keyring) -> str:
        return keyring.seal(f"audit key|{self.name}|{self.key.hex()}", AUDIT_KEY.at(self.name))

    def sealed_head(self, keyring: Keyring, head: AuditHead) -> str:
        return keyring.seal(f"audit head|{self.name}|{head.number}:{head.code}", AUDIT_HEAD.at(self.name))

    def code(self, entry: str) -> str:
        """The HMAC of an entry, which proves that its writer had the chain's key."""
        return hmac.new(self.key, entry.encode(), hashlib.sha256).hexdigest()

    def digest(self, *parts: str) -> str:
        """The keyed digest of a clinic or a person: without the key, nobody can find the id by trying."""
        return hmac.new(self.key, "\0".join(("subject", *parts)).encode(), hashlib.sha256).hexdigest()[:32]


def _opened_head(keyring: Keyring, name: str, sealed: str) -> AuditHead | None:
    try:
        content = _content(keyring.open(sealed, AUDIT_HEAD.at(name)), "audit head", name)
    except ConfigurationError:
        return None
    number, _, code = (content or "").partition(":")
    return AuditHead(chain=name, number=int(number), code=code) if number.isdigit() else None


def _content(opened: str, purpose: str, chain: str) -> str | None:
    sealed_for, _, content = opened.partition(f"|{chain}|")
    return content if sealed_for == purpose else None
