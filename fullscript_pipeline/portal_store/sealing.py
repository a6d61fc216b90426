"""Seals what the portal stores, and the pages that are written for it, with FULLSCRIPT_WEB_KEY.

A sealed text or page is bound to its place (AES-256-GCM, the place as associated data). The first key seals; every key
opens, so that the key can be changed. What does not belong here: the encryption key, which the portal never has.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fullscript_pipeline.encryption import fingerprint
from fullscript_pipeline.errors import ConfigurationError

_ID, _NONCE = 8, 12
_MARK = b"fullscript-pipeline: sealed page 1\n"


class _Ciphers:
    """A cipher for each key, for one purpose."""

    def __init__(self, keys: Sequence[str], purpose: bytes) -> None:
        self._ciphers = {bytes.fromhex(fingerprint(key)): AESGCM(derived_key(key, purpose)) for key in keys}
        self.newest = next(iter(self._ciphers))

    def encrypt(self, content: bytes, place: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return self.newest + nonce + self._ciphers[self.newest].encrypt(nonce, content, place.encode())

    def decrypt(self, raw: bytes, place: str) -> bytes:
        """Raises KeyError for another key, InvalidTag for another place or a changed content."""
        return self._ciphers[raw[:_ID]].decrypt(raw[_ID : _ID + _NONCE], raw[_ID + _NONCE :], place.encode())


class PageSeal:
    """Seals and opens pages. `place`: the page's path below the folder of pages."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._ciphers = _Ciphers(keys, b"portal pages")
        # Pages that were sealed with another newest key are written again.
        self.name = self._ciphers.newest.hex()

    def seal(self, content: bytes, place: str) -> bytes:
        return _MARK + self._ciphers.encrypt(content, place)

    def open(self, content: bytes, place: str) -> bytes:
        """The page; one that is not sealed as it is. Raises ConfigurationError for another key, or a changed page."""
        if not content.startswith(_MARK):
            return content
        try:
            return self._ciphers.decrypt(content[len(_MARK) :], place)
        except (KeyError, InvalidTag, ValueError):
            raise ConfigurationError(
                "A page was sealed with another key than FULLSCRIPT_WEB_KEY holds, or was changed: set the key that it "
                "is under, or write the pages again with `fullscript-pipeline report adherence`."
            ) from None


class Seal:
    """Seals and opens texts for a place, such as `sessions.access_token|<row>`."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._ciphers = _Ciphers(keys, b"portal store")

    def seal(self, text: str, place: str) -> str:
        return base64.b64encode(self._ciphers.encrypt(text.encode(), place)).decode()

    def open(self, stored: str, place: str) -> str:
        """Raises ConfigurationError for another key, or for a text that was sealed for another place."""
        try:
            return self._ciphers.decrypt(base64.b64decode(stored, validate=True), place).decode()
        except (binascii.Error, KeyError, InvalidTag, ValueError):
            raise ConfigurationError(
                "A value in the portal's store was sealed with another key than FULLSCRIPT_WEB_KEY holds, or was "
                "changed: set the key that it is under (new,old while the key changes)."
            ) from None

    def is_current(self, stored: str) -> bool:
        """Whether a text is sealed with the newest key."""
        return base64.b64decode(stored)[:_ID] == self._ciphers.newest


def hash_of(secret: str) -> str:
    """The hash under which the id of a session, or a state, is stored: it is random, so no key is needed."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def derived_key(key: str, purpose: bytes) -> bytes:
    """A key of its own for each purpose."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"fullscript-pipeline " + purpose).derive(key.encode())


def split_keys(text: str | None) -> tuple[str, ...]:
    """The keys in FULLSCRIPT_WEB_KEY, the newest first."""
    return tuple(key.strip() for key in (text or "").split(",") if key.strip())
