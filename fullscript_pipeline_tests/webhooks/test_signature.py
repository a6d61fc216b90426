"""Only genuine, recent payloads: the documented header, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.webhooks.signature import sign
from fullscript_pipeline_tests.helpers.webhook_signatures import (
    BODY,
    DIGEST,
    HEADER,
    KEY,
    MALFORMED,
    MOMENT,
    genuine,
    header_at,
)


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
