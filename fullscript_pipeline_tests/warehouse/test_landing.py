"""Frames survive crashes, keep secrets out, and their hashes see changes only."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.warehouse.landing import (
    NO_ID,
    UNREADABLE,
    Envelope,
    FrameFile,
    Request,
    canonical,
    content_hash,
    make_line,
    parse_line,
    without_secrets,
)

ENVELOPE = Envelope("c1", "us", "2026-11-01T00:00:00+00:00", "req-1", "p1")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def filled(path: Path, pages: int, key: str | None = None) -> FrameFile:
    file = FrameFile(path, key)
    for page in range(1, pages + 1):
        lines = [make_line({"id": f"{page}-{i}", "note": 'a "record": inside\n'}) for i in range(3)]
        file.append(Request("orders", "k", page, len(lines), page == pages, 3 * pages, envelope=ENVELOPE), lines)
    return file


@pytest.mark.parametrize("key", [None, "a key"])
def test_what_is_appended_is_read_back_in_order(tmp_path: Path, key: str | None) -> None:
    file = filled(tmp_path / "f", 3, key)
    assert [line.id for line in file.lines("orders")] == [f"{page}-{i}" for page in (1, 2, 3) for i in range(3)]
    assert [request.is_last for request in file.requests()] == [False, False, True]
    assert {line.parent_id for line in file.lines("orders")} == {"p1"} == {r.parent_id for r in file.requests()}


def test_an_encrypted_file_shows_nothing_and_needs_its_key(tmp_path: Path) -> None:
    file = FrameFile(tmp_path / "f", "right")
    file.append(Request("patients", "k"), [make_line({"id": "1", "last_name": "Canary"})])
    assert b"Canary" not in file.path.read_bytes()
    for key in ("wrong", None):
        with pytest.raises(ConfigurationError, match="FULLSCRIPT_ENCRYPTION_KEY"):
            FrameFile(file.path, key).requests()


def test_a_file_cut_anywhere_keeps_its_whole_frames_and_takes_new_ones(tmp_path: Path) -> None:
    growing, edges = FrameFile(tmp_path / "whole"), []
    for page in (1, 2, 3):
        growing.append(Request("orders", "k", page), [make_line({"id": str(page)})])
        edges.append(growing.path.stat().st_size)
    whole = growing.path.read_bytes()
    for size in range(0, len(whole), 7):
        path = tmp_path / "cut"
        path.write_bytes(whole[:size])
        file = FrameFile(path)
        file.cut_torn_end()
        kept = len(file.requests())
        assert kept == sum(size >= edge for edge in edges)
        file.append(Request("orders", "k", 9), [])
        assert [request.page for request in file.requests()][-1] == 9


@given(JSON, st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_record_comes_back_as_it_was(value: Any, record_id: str) -> None:
    record = {"id": record_id, "value": value}
    line = parse_line(make_line(record))
    assert line.id == record_id
    assert line.record == canonical(without_secrets(record))
    assert line.hash == content_hash(line.record)


def test_an_id_may_look_like_the_frame_of_a_record() -> None:
    for odd in ('x","record":{', "\\", '"', '","id":"', "a\nb"):
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
