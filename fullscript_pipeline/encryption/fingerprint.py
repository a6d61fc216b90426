"""The fingerprint of an encryption key: it identifies the key and reveals nothing about it.

It is stored where data state their key: in the state store, and in the record of a change of keys. What
does not belong here: sealing.
"""

import hashlib
import hmac
from collections.abc import Iterable


def fingerprint(key: str) -> str:
    """The fingerprint of a key: 16 hexadecimal digits."""
    return hmac.new(key.encode(), b"fullscript-pipeline key fingerprint", hashlib.sha256).hexdigest()[:16]


def with_fingerprint(keys: Iterable[str], expected: str) -> str | None:
    """Returns the key with this fingerprint; None if there is none."""
    return next((key for key in keys if fingerprint(key) == expected), None)
