"""Signature headers of one payload: the right one, and malformed ones.

What does not belong here: calls (`vendor_client`).
"""

import base64

from fullscript_pipeline.webhooks.signature import is_genuine, sign

BODY = b'{"event_payload":{"event":{"id":"evt-1","type":"order.placed"}}}'

KEY = b"fs_sig_test_secret"

MOMENT = 1591826856

DIGEST = "8f5f69a333ac446ed7f9d8cb5a27b2e98239c84ae2fa0da45d3a449321d7381b"

HEADER = f"t={MOMENT},v1={DIGEST}"


def genuine(header: str | bytes, *, body: bytes = BODY, keys: tuple[bytes, ...] = (KEY,), now: float = MOMENT) -> bool:
    return is_genuine(header if isinstance(header, bytes) else header.encode(), body, keys, now)


def header_at(moment: str, key: bytes = KEY) -> str:
    """A header whose digest is right, whatever its time is."""
    return f"t={moment},v1={sign(key, moment.encode(), BODY).decode()}"


MALFORMED = {
    "missing": "",
    "space": " ",
    "commas": ",,,",
    "t only": f"t={MOMENT}",
    "v1 only": f"v1={DIGEST}",
    "two t": f"t={MOMENT},t={MOMENT},v1={DIGEST}",
    "two t that differ": f"t={MOMENT - 1},t={MOMENT},v1={DIGEST}",
    "v0": f"t={MOMENT},v0={DIGEST}",
    "empty t": f"t=,v1={DIGEST}",
    "empty v1": f"t={MOMENT},v1=",
    "upper case names": f"T={MOMENT},V1={DIGEST}",
    "upper case digits": f"t={MOMENT},v1={DIGEST.upper()}",
    "NaN": header_at("NaN"),
    "infinite": header_at("inf"),
    "negative": header_at(f"-{MOMENT}"),
    "plus": header_at(f"+{MOMENT}"),
    "float": header_at(f"{MOMENT}.0"),
    "exponent": header_at("1591826856e0"),
    "underscores": header_at("1_591_826_856"),
    "hex": header_at(hex(MOMENT)),
    "milliseconds": header_at(f"{MOMENT}000"),
    "zero": header_at("0"),
    "2^63": header_at(str(2**63)),
    "five thousand digits": header_at("1" * 5000),
    "other digits": "t=١٥٩١٨٢٦٨٥٦,v1=" + DIGEST,
    "non-ASCII": f"t={MOMENT},v1={'é' * 64}",
    "63 digits": HEADER[:-1],
    "65 digits": f"{HEADER}0",
    "base64": f"t={MOMENT},v1={base64.b64encode(bytes.fromhex(DIGEST)).decode()}",
    "100 kB": f"{HEADER},x={'a' * 100_000}",
    "semicolon": HEADER.replace(",", ";"),
    "the digest alone": DIGEST,
    "prefix": f"sha256={DIGEST}",
    "a gap in the time": f"t={MOMENT // 1000} {MOMENT % 1000},v1={DIGEST}",
    "NUL": f"{HEADER}\0",
    "line break": f"{HEADER}\n",
    "JSON": f'{{"t": {MOMENT}, "v1": "{DIGEST}"}}',
}
