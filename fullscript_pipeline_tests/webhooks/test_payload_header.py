"""What the inbox is keyed by, out of payloads in every documented and some other shapes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.webhooks.payload_header import NotJson, is_probe, read_delivery

EVENT = {"id": "evt-1", "type": "order.placed", "created_at": "2026-11-22T10:00:00Z", "clinic_id": "c-1", "data": {}}


def read(payload: object) -> Any:
    return read_delivery("us-snd", json.dumps(payload).encode(), {})


@pytest.mark.parametrize(
    "payload", [{"event_payload": {"event": EVENT}}, {"event": EVENT}, {"event_payload": EVENT}, EVENT]
)
def test_both_documented_wrappers_and_their_halves(payload: object) -> None:
    delivery = read(payload)
    assert (delivery.event_id, delivery.event_type, delivery.clinic_id) == ("evt-1", "order.placed", "c-1")
    assert (delivery.created_at, delivery.integration_id) == ("2026-11-22T10:00:00Z", "")


def test_the_integration_may_be_in_the_event_or_next_to_it() -> None:
    inside = {"event_payload": {"event": EVENT | {"integration_id": "i-1"}}}
    beside = {"event_payload": {"event": EVENT, "integration_id": "i-1"}}
    around = {"event_payload": {"event": EVENT}, "integration_id": "i-1"}
    assert [read(payload).integration_id for payload in (inside, beside, around)] == ["i-1"] * 3


@pytest.mark.parametrize("event_id", [None, "", [], {}, True, 1.5, "a\nb", "a\x00b", "\x1b[2J", "x" * 201])
def test_without_a_usable_id_the_content_is_the_key(event_id: object) -> None:
    first, again, other = read({"event": EVENT | {"id": event_id}}), read({"event": EVENT | {"id": event_id}}), read({})
    assert first.event_id == again.event_id != other.event_id
    assert first.event_id.startswith("body-")


def test_ids_that_are_numbers_are_text() -> None:
    assert read({"event": EVENT | {"id": 12345678901234567890}}).event_id == "12345678901234567890"


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"[]",
        b"null",
        b'"a"',
        b"1",
        b'{"a": NaN}',
        b'{"a": "\x00"}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 100_000,
        b'{"a": 1}{"a": 1}',
    ],
)
def test_what_is_no_json_object_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(NotJson):
        read_delivery("us-snd", body, {})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["event_payload", "event", "id", "type", "clinic_id"]), inner, max_size=4)
        ),
    )
)
def test_no_shape_breaks_it(payload: object) -> None:
    body = json.dumps(payload).encode()
    if not isinstance(payload, dict):
        with pytest.raises(NotJson):
            read_delivery("us-snd", body, {})
        return
    delivery = read_delivery("us-snd", body, {})
    assert delivery.body == body
    assert delivery.event_id
    assert delivery.event_id.isprintable()


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t ", b"{}", b" { } \n"])
def test_probes(body: bytes) -> None:
    assert is_probe(body)


@pytest.mark.parametrize("body", [b"[]", b"null", b'{"event":{}}', b"{}{}", b" " * 300, b"\x00"])
def test_no_probes(body: bytes) -> None:
    assert not is_probe(body)
