"""Encrypts what must not lie in the state store as plain text: the tokens, the webhooks' bodies and their path, the
audit log's keys and heads.

The setting is one key or several, comma separated: the first encrypts, all decrypt, so that keys can be rotated. A
key is a Fernet key (44 characters of URL-safe base64) or any other text, from which one is derived. What does not
belong here: the warehouse's and the landing frames' encryption.
"""

import base64
import binascii

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.key_fingerprint import fingerprint
from fullscript_pipeline.settings import encryption_keys

_PLAIN = b"plain:"
_SEALED = b"fernet:"
SETTING = "FULLSCRIPT_ENCRYPTION_KEY"


class Keyring:
    """Seals and opens secrets, text or bytes. Without a key they are kept as they are, marked so."""

    def __init__(self, setting: str | None) -> None:
        self.keys = encryption_keys(setting)
        self._fernet = MultiFernet([Fernet(_fernet_key(key)) for key in self.keys]) if self.keys else None
        self.fingerprint = fingerprint(self.keys[0]) if self.keys else None

    def seal(self, secret: str) -> str:
        """`secret` as it may be stored."""
        return self.seal_bytes(secret.encode()).decode()

    def open(self, stored: str) -> str:
        """The secret in `stored`. Raises ConfigurationError when it was sealed with a key we do not have."""
        return self.open_bytes(stored.encode()).decode()

    def seal_bytes(self, secret: bytes) -> bytes:
        """The same for bytes."""
        return _SEALED + self._fernet.encrypt(secret) if self._fernet else _PLAIN + secret

    def is_sealed(self, stored: str) -> bool:
        """Whether it was stored under a key."""
        return stored.startswith(_SEALED.decode())

    def open_bytes(self, stored: bytes) -> bytes:
        """The same for bytes."""
        if stored.startswith(_PLAIN):
            return stored.removeprefix(_PLAIN)
        if self._fernet is None:
            raise ConfigurationError(
                f"Tokens and webhooks in the state store are encrypted and {SETTING} is not set: set it to the key "
                "they were saved with."
            )
        try:
            return self._fernet.decrypt(stored.removeprefix(_SEALED))
        except InvalidToken:
            raise ConfigurationError(
                f"Tokens and webhooks in the state store were saved with another key than {SETTING} holds now: set the "
                "former key, or list both, comma separated, the new one first. Where that is so, this process was "
                "started before (`ui`, a service): start it again."
            ) from None


def _fernet_key(text: str) -> bytes:
    """`text` itself when it is a Fernet key, else a key derived from it (HKDF, SHA-256)."""
    try:
        if len(text) == 44 and len(base64.urlsafe_b64decode(text)) == 32:
            return text.encode()
    except (binascii.Error, ValueError):
        pass
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"fullscript-pipeline tokens").derive(text.encode())
    return base64.urlsafe_b64encode(derived)
