"""Frames survive crashes, keep secrets out, and their hashes see changes only."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.ids import usable_id
from fullscript_pipeline.warehouse.landing import (
    NO_ID,
    UNKEYED,
    UNREADABLE,
    Envelope,
    canonical,
    content_hash,
    make_line,
    parse_line,
    without_secrets,
)

ENVELOPE = Envelope(
    clinic_id="c1", region="us", fetched_at="2026-11-01T00:00:00+00:00", request_id="req-1", parent_id="p1"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_record_is_read_back_as_it_was(value: Any, record_id: str) -> None:
    record = {"id": record_id, "value": value}
    line = parse_line(make_line(record))
    if (own := usable_id(record_id)) is None:
        assert line.id.startswith(UNKEYED)
    else:
        assert line.id == own
    assert line.record == canonical(without_secrets(record))
    assert line.hash == content_hash(line.record)


def test_an_id_may_look_like_the_frame_of_a_record() -> None:
    for odd in ('x","record":{', "\\", '"', '","id":"'):
        assert parse_line(make_line({"id": odd})).id == odd


def test_lines_of_an_earlier_version_are_read() -> None:
    """Their envelope stood in each line."""
    line = parse_line(
        b'{"clinic_id":"c","endpoint":"orders","parent_id":"p","id":"1","hash":"abc","record":{"id":"1"}}'
    )
    assert line == ("1", "p", "abc", b'{"id":"1"}')


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(max_size=5), JSON, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_key_order_is_no_change(record: dict[str, Any], random: Any) -> None:
    shuffled = list(record.items())
    random.shuffle(shuffled)
    assert content_hash(canonical(dict(shuffled))) == content_hash(canonical(record))


def test_links_that_act_as_the_patient_are_not_written_at_any_depth() -> None:
    record = {"id": "1", "invitation_url": "https://x", "results": [{"id": "r", "pdf_url": "https://y"}]}
    assert b"https" not in make_line(record)


def test_records_that_cannot_be_keyed_or_read_are_still_landed() -> None:
    assert parse_line(make_line({"name": "x"})).id.startswith(NO_ID)
    assert parse_line(make_line({"id": "\ud800"})).id.startswith(UNREADABLE)
    # Its object is there, whatever its name is: it must not be taken for gone.
    assert parse_line(make_line({"id": "1", "name": "\ud800"})).id == "1"
