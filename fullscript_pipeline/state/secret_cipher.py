"""Encrypts the secrets of the state store (`sealed_columns` lists them).

The setting is one key or several, comma separated. The active key seals: the key of the store, else the first one. All
keys open, so that keys can be rotated. A value is bound to its place (AES-256-GCM with the place as associated data).
Values from before 2026-11-29 are Fernet tokens or plain, and bound to no place; a store that records its key (a new
one, or one that was rotated) refuses them. What does not belong here: the warehouse's and the landing frames'
encryption.
"""

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fullscript_pipeline.encryption import fingerprint
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import encryption_keys
from fullscript_pipeline.state.sealed_columns import SEALED_COLUMNS, Place

SETTING = "FULLSCRIPT_ENCRYPTION_KEY"
_PLAIN, _FERNET, _BOUND = b"plain:", b"fernet:", b"sealed:"
# The prefixes of stored values.
MARKS = (_PLAIN[:6], _FERNET[:6], _BOUND[:6])
_ID, _NONCE = 8, 12


class Keyring:
    """Seals and opens secrets, text or bytes, for a place. Without a key they are stored plain, with a mark."""

    def __init__(self, setting: str | None) -> None:
        self.keys = encryption_keys(setting)
        self._ciphers = {fingerprint(key): AESGCM(_derived(key, "state store")) for key in self.keys}
        self._fernet = MultiFernet([Fernet(_fernet_key(key)) for key in self.keys]) if self.keys else None
        self._store_key: str | None = None

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint of the active key. Raises ConfigurationError if the store's key is not in the setting."""
        if self._store_key is None:
            return fingerprint(self.keys[0]) if self.keys else None
        if self._store_key not in self._ciphers:
            raise self._another_key()
        return self._store_key

    def use(self, store_key: str | None) -> None:
        """Makes the key of this fingerprint active, and refuses values without a place;

        None: the first key is active.
        """
        self._store_key = store_key

    def seal(self, secret: str, place: Place) -> str:
        """Seals `secret` for this place. Raises as `fingerprint`."""
        return self.seal_bytes(secret.encode(), place).decode()

    def open(self, stored: str, place: Place) -> str:
        """Opens `stored`. Raises ConfigurationError for an unknown key, or for a value of another place."""
        return self.open_bytes(stored.encode(), place).decode()

    def seal_bytes(self, secret: bytes, place: Place) -> bytes:
        """Seals bytes for this place. Raises as `fingerprint`."""
        if place.column not in SEALED_COLUMNS:
            raise ValueError(f"{place.column.name} is not in the list of sealed columns")
        used = self.fingerprint
        if used is None:
            return _PLAIN + secret
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[used].encrypt(nonce, secret, str(place).encode())
        return _BOUND + base64.b64encode(bytes.fromhex(used) + nonce + sealed)

    def is_sealed(self, stored: str) -> bool:
        """Whether the value was sealed with a key."""
        return stored.startswith((_FERNET.decode(), _BOUND.decode()))

    def open_bytes(self, stored: bytes, place: Place) -> bytes:
        """Opens bytes. Raises as `open`."""
        if stored.startswith(_BOUND):
            return self._opened(stored.removeprefix(_BOUND), place)
        if self._store_key is not None:
            raise _not_of_this_place(place)
        if stored.startswith(_PLAIN):
            return stored.removeprefix(_PLAIN)
        try:
            if self._fernet is None:
                raise InvalidToken
            return self._fernet.decrypt(stored.removeprefix(_FERNET))
        except InvalidToken:
            raise self._another_key() from None

    def is_current(self, stored: bytes) -> bool:
        """Whether a value is sealed with the active key and bound to a place."""
        try:
            head = base64.b64decode(stored.removeprefix(_BOUND)[:12], validate=True)[:_ID].hex()
        except (binascii.Error, ValueError):
            return False
        return stored.startswith(_BOUND) and head == self.fingerprint

    def _opened(self, text: bytes, place: Place) -> bytes:
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise _not_of_this_place(place) from None
        cipher = self._ciphers.get(raw[:_ID].hex())
        if cipher is None:
            raise self._another_key()
        nonce, sealed = raw[_ID : _ID + _NONCE], raw[_ID + _NONCE :]
        try:
            return cipher.decrypt(nonce, sealed, str(place).encode())
        except (InvalidTag, ValueError):
            raise _not_of_this_place(place) from None

    def _another_key(self) -> ConfigurationError:
        if not self.keys:
            return ConfigurationError(
                f"Tokens and webhooks in the state store are encrypted and {SETTING} is not set: set it to the key "
                "they were saved with."
            )
        return ConfigurationError(
            f"Tokens and webhooks in the state store were saved with another key than {SETTING} holds now: set the "
            "key that they are under; to change keys, list both, comma separated, the new one first. Where that is so, "
            "this process was started before (`ui`, a service): start it again."
        )


def _not_of_this_place(place: Place) -> ConfigurationError:
    return ConfigurationError(
        f"A value of {place.column.name} in the state store is not what was sealed for that place: it was damaged, or "
        "put there from elsewhere. Bring a backup back with `restore`, or disconnect and `connect` the clinic again."
    )


def _derived(key: str, purpose: str) -> bytes:
    info = f"fullscript-pipeline {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key.encode())


def _fernet_key(text: str) -> bytes:
    """Returns `text` if it is a Fernet key, else a key derived from it."""
    try:
        if len(text) == 44 and len(base64.urlsafe_b64decode(text)) == 32:
            return text.encode()
    except (binascii.Error, ValueError):
        pass
    return base64.urlsafe_b64encode(_derived(text, "tokens"))
