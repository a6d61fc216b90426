"""Only genuine, recent payloads: the documented header, byte for byte."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.webhooks.signature import is_genuine, sign

BODY = b'{"event_payload":{"event":{"id":"evt-1","type":"order.placed"}}}'
KEY, MOMENT = b"fs_sig_test_secret", 1591826856
DIGEST = "8f5f69a333ac446ed7f9d8cb5a27b2e98239c84ae2fa0da45d3a449321d7381b"
HEADER = f"t={MOMENT},v1={DIGEST}"


def genuine(header: str | bytes, *, body: bytes = BODY, keys: tuple[bytes, ...] = (KEY,), now: float = MOMENT) -> bool:
    return is_genuine(header if isinstance(header, bytes) else header.encode(), body, keys, now)


def header_at(moment: str, key: bytes = KEY) -> str:
    """A header whose digest is right, whatever its time is."""
    return f"t={moment},v1={sign(key, moment.encode(), BODY).decode()}"


def test_the_vector_of_the_documented_rule() -> None:
    assert sign(KEY, str(MOMENT).encode(), BODY).decode() == DIGEST
    assert genuine(HEADER)


@pytest.mark.parametrize(
    "header",
    [
        f"v1={DIGEST},t={MOMENT}",
        f"t={MOMENT}, v1={DIGEST}",
        f"{HEADER},v2=abc",
        f"t={MOMENT},v1={'0' * 64},v1={DIGEST}",
    ],
)
def test_what_is_not_documented_does_not_matter(header: str) -> None:
    assert genuine(header)


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


@pytest.mark.parametrize("kind", MALFORMED)
def test_anything_else_is_refused(kind: str) -> None:
    assert not genuine(MALFORMED[kind])


def test_the_other_sign_of_the_examples_is_not_the_full_stop() -> None:
    """One printed example joins time and body with `>`; text and the other example say full stop."""
    assert not genuine(f"t={MOMENT},v1={sign(KEY, f'{MOMENT}>'.encode(), BODY).decode()}")


# Ten distances, in both directions, against two fractions of the receiver's second: 40 cases.
@pytest.mark.parametrize("fraction", [0.0, 0.999])
@pytest.mark.parametrize("distance", [0, 1, 60, 298, 299, 301, 302, 600, 3600, 86_400])
@pytest.mark.parametrize("direction", [-1, 1])
def test_replays_are_refused_in_both_directions(direction: int, distance: int, fraction: float) -> None:
    assert genuine(header_at(str(MOMENT + direction * distance)), now=MOMENT + fraction) == (distance <= 299)


@pytest.mark.parametrize("direction", [-1, 1])
@pytest.mark.parametrize("late", [0.0, 0.9, 1.9])
def test_a_second_that_passes_on_the_way_changes_neither_299_nor_301(direction: int, late: float) -> None:
    """Whoever signs takes a moment to send."""
    assert genuine(header_at(str(MOMENT + direction * 299)), now=MOMENT + late)
    assert not genuine(header_at(str(MOMENT + direction * 301)), now=MOMENT + late)


def test_any_of_several_keys() -> None:
    old, new = b"old", b"new"
    for key in (old, new):
        assert genuine(header_at(str(MOMENT), key), keys=(old, new))
    assert not genuine(header_at(str(MOMENT), b"other"), keys=(old, new))
    assert not genuine(header_at(str(MOMENT), b""), keys=())


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_any_changed_byte_of_the_body_is_noticed(place: int, change: int) -> None:
    body = bytearray(BODY)
    body[place] ^= change
    assert not genuine(HEADER, body=bytes(body))


@given(st.integers(0, len(HEADER) - 1), st.integers(1, 255))
def test_any_changed_byte_of_the_header_is_noticed(place: int, change: int) -> None:
    header = bytearray(HEADER.encode())
    header[place] ^= change
    assert not genuine(bytes(header))


@given(st.binary(max_size=200))
def test_no_other_key_fits_and_nothing_breaks_it(noise: bytes) -> None:
    assert not genuine(HEADER, keys=(noise,)) or noise == KEY
    assert not genuine(noise)


@given(st.integers(1, 50))
def test_a_cut_or_extended_body_is_noticed(more: int) -> None:
    assert not genuine(HEADER, body=BODY[:-more])
    assert not genuine(HEADER, body=BODY + b" " * more)
