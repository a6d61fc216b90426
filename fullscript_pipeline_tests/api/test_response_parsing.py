"""Reading lists: any shape either gives its records or an error, never silently nothing."""

import contextlib
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.api import BadResponse
from fullscript_pipeline.api.endpoints import endpoint_named
from fullscript_pipeline.api.errors import FullscriptError, RateLimited, RequestSummary
from fullscript_pipeline.api.response_parsing import parse_list, parse_meta, parse_object
from fullscript_pipeline.json_text import parse_json

_ASKED = RequestSummary(
    endpoint="orders", server="us-snd", method="GET", url="https://h/x", clinic="maple", status=200, request_id="req-1"
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["orders", "meta", "id", "x"]), inner),
    max_leaves=12,
)


@given(_JSON)
def test_a_list_is_read_or_refused_and_loses_nothing(body: Any) -> None:
    try:
        key, records, _ = parse_list(endpoint_named("orders"), body, _ASKED)
    except BadResponse:
        return
    source = body if key == "" else body[key]
    assert len(records) == len(source)
    assert all(isinstance(record, dict) for record in records)


@given(_JSON)
def test_a_detail_is_read_or_refused_and_has_an_id(body: Any) -> None:
    try:
        record, _ = parse_object(endpoint_named("order"), body, _ASKED)
    except BadResponse:
        return
    assert record["id"] not in {None, ""} if not isinstance(record["id"], list | dict) else True


def test_a_detail_need_not_repeat_the_requested_id() -> None:
    product = endpoint_named("product")
    assert parse_object(product, {"product": {"name": "C"}}, _ASKED, "p1") == ({"id": "p1", "name": "C"}, False)
    unclear: Any
    for unclear in ({"product": {}}, {"name": "C"}, {"product": [{"name": "C"}]}):
        with pytest.raises(BadResponse):
            parse_object(product, unclear, _ASKED, "p1")


@given(st.dictionaries(st.sampled_from(["current_page", "next_page", "total_pages", "total_count"]), _JSON))
def test_meta_never_fails(meta: dict[str, Any]) -> None:
    found = parse_meta({"meta": meta})
    if isinstance(meta.get("next_page"), int) and not isinstance(meta["next_page"], bool):
        assert found.has_next is True


def test_meta_written_as_text_is_understood() -> None:
    meta = parse_meta({"meta": {"current_page": "2", "next_page": None, "total_pages": "2", "total_count": "140"}})
    assert (meta.current_page, meta.total_pages, meta.total_count, meta.has_next) == (2, 2, 140, False)


def test_any_sign_of_another_page_counts() -> None:
    assert parse_meta({"meta": {"current_page": 1, "next_page": "https://h/x?page[number]=2"}}).has_next is True
    assert parse_meta({"meta": {"current_page": 1, "next_page": ""}}).has_next is False
    assert parse_meta({"meta": {"current_page": 1, "next_page": None, "total_pages": 2}}).has_next is True
    assert parse_meta({"meta": {"total_count": 3}}).has_next is None


@given(st.binary(max_size=40))
def test_json_text_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_json(body)


def test_an_error_survives_a_process_border() -> None:
    """Dagster and process pools pickle errors."""
    error = RateLimited(_ASKED, "limited", "wait")
    error.retry_after = 3.0
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert isinstance(copy, RateLimited)
    assert isinstance(copy, FullscriptError)
    assert (str(copy), copy.retry_after, copy.request_id) == (str(error), 3.0, "req-1")
