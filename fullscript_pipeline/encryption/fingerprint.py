"""The fingerprint of an encryption key: tells one key from another, and says nothing about it.

It stands where something has to say under which key it is: in the state store, in the record of a change of keys. What
does not belong here: sealing.
"""

import hashlib
import hmac
from collections.abc import Iterable


def fingerprint(key: str) -> str:
    """16 hexadecimal digits."""
    return hmac.new(key.encode(), b"fullscript-pipeline key fingerprint", hashlib.sha256).hexdigest()[:16]


def with_fingerprint(keys: Iterable[str], expected: str) -> str | None:
    """The key among these that has this fingerprint."""
    return next((key for key in keys if fingerprint(key) == expected), None)
