"""The `Fullscript-Signature` header: `t=<Unix seconds>,v1=<HMAC-SHA256 of "t.body", hex>`.

Spaces, the order of the parts, further parts and a second `v1` are not documented and are ignored; everything that is
documented must match exactly. What does not belong here: where the keys come from.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable

# "5 minutes is usually a good default" (the vendor, on the header's check), in both directions of time.
TOLERANCE_SECONDS = 300
_LONGEST_HEADER = 1000
_TIME = re.compile(rb"[0-9]{1,12}")
_DIGEST = re.compile(rb"[0-9a-f]{64}")


def is_genuine(header: bytes, body: bytes, keys: Iterable[bytes], now: float) -> bool:
    """Whether one of `keys` signed `body` (raw) within five minutes of `now` (seconds since 1970, real time)."""
    parts = _read(header)
    if parts is None:
        return False
    moment, digests = parts
    return _is_recent(int(moment), int(now)) and _is_signed(moment, body, digests, keys)


def sign(key: bytes, moment: bytes, body: bytes) -> bytes:
    """The documented digest in hexadecimal digits."""
    mac = hmac.new(key, moment + b".", hashlib.sha256)
    mac.update(body)
    return mac.hexdigest().encode()


def _read(header: bytes) -> tuple[bytes, list[bytes]] | None:
    if len(header) > _LONGEST_HEADER:
        return None
    parts = [part.strip(b" \t").partition(b"=") for part in header.split(b",")]
    moments = [value for name, _, value in parts if name == b"t"]
    digests = [value for name, _, value in parts if name == b"v1"]
    if len(moments) != 1 or not _TIME.fullmatch(moments[0]):
        return None
    if not digests or not all(_DIGEST.fullmatch(digest) for digest in digests):
        return None
    return moments[0], digests


def _is_recent(sent: int, now: int) -> bool:
    # Both are whole seconds, so `sent` may be almost a second later: the bound for the future is strict.
    return -TOLERANCE_SECONDS < now - sent <= TOLERANCE_SECONDS


def _is_signed(moment: bytes, body: bytes, digests: list[bytes], keys: Iterable[bytes]) -> bool:
    # Every pair is compared, each in constant time, so that the duration does not reveal which one matches.
    is_match = False
    for key in keys:
        expected = sign(key, moment, body)
        for digest in digests:
            is_match |= hmac.compare_digest(expected, digest)
    return is_match
