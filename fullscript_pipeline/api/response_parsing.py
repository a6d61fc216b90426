"""Parses the JSON of a response into records: wrapper keys, `meta`, and whether a listing has ended.

The vendor documents few wrapper keys, and `meta` only for top-level lists. So this module accepts any name and is
strict about meaning: an unknown shape is a BadResponse, never an empty page. What does not belong here: sending
requests, or what a record means.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fullscript_pipeline.api.errors import BadResponse, RequestSummary
from fullscript_pipeline.resources.types import Endpoint

Record = dict[str, Any]
PAGE_SIZE = 100  # the vendor's maximum; a server may ignore it


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page as received. `fetched_at` is UTC by the data's clock; `unexpected_wrapper` is a drift to report.

    `left_out`: the ids of purged people's records, which are not in `records`, by their marks.
    """

    number: int
    records: list[Record]
    total_count: int | None
    total_pages: int | None
    request_id: str | None
    fetched_at: datetime
    wrapper_key: str
    unexpected_wrapper: bool
    is_last: bool
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SingleRecord:
    """An object as received."""

    record: Record
    request_id: str | None
    fetched_at: datetime
    unexpected_wrapper: bool


@dataclass(frozen=True, kw_only=True)
class Meta:
    """The parsed `meta`; None for what is absent. `has_next` None: not stated."""

    current_page: int | None
    total_pages: int | None
    total_count: int | None
    has_next: bool | None


def parse_list(endpoint: Endpoint, body: Any, request: RequestSummary) -> tuple[str, list[Record], bool]:
    """Returns (wrapper key, records, unexpected?) of a list response; key "" for a bare array. Raises BadResponse."""
    if isinstance(body, list):
        return "", _records(body, request), True
    if not isinstance(body, dict):
        raise _unknown_shape_error(endpoint, request, "is neither an object nor an array")
    for key in endpoint.wrapper_keys:
        if isinstance(body.get(key), list):
            return key, _records(body[key], request), key != endpoint.wrapper_keys[0]
    arrays = [key for key, content in body.items() if key != "meta" and isinstance(content, list)]
    if len(arrays) != 1:
        raise _unknown_shape_error(
            endpoint, request, f"has {len(arrays)} arrays and none under {endpoint.wrapper_keys[0]!r}"
        )
    return arrays[0], _records(body[arrays[0]], request), True


def parse_object(
    endpoint: Endpoint, body: Any, request: RequestSummary, object_id: str | None = None
) -> tuple[Record, bool]:
    """Returns (record, unexpected wrapper?) of a detail response.

    The record is under the expected key or under `event_payload.event`, or the response is the bare object.
    `object_id`: the requested id; a record under the expected key need not repeat it.
    """
    if isinstance(body, dict) and isinstance(body.get("event_payload"), dict):
        record, _ = parse_object(endpoint, body["event_payload"], request, object_id)
        return record, True
    if not isinstance(body, dict):
        raise _unknown_shape_error(endpoint, request, "is not an object")
    for key in endpoint.wrapper_keys:
        if _is_record(body.get(key)):
            return body[key], key != endpoint.wrapper_keys[0]
        if object_id is not None and isinstance(body.get(key), dict) and body[key]:
            return {**body[key], "id": object_id}, key != endpoint.wrapper_keys[0]
    if _is_record(body):
        return body, True
    objects = [content for key, content in body.items() if key != "meta" and _is_record(content)]
    if len(objects) != 1:
        raise _unknown_shape_error(endpoint, request, f"holds no object with an id under {endpoint.wrapper_keys[0]!r}")
    return objects[0], True


def parse_meta(body: Any) -> Meta:
    """Parses the `meta` of a list response; all None without `meta`. Numbers may be text."""
    meta = body.get("meta") if isinstance(body, dict) else None
    if not isinstance(meta, dict):
        return Meta(current_page=None, total_pages=None, total_count=None, has_next=None)
    current, pages = _number(meta.get("current_page")), _number(meta.get("total_pages"))
    has_next: bool | None = None
    if "next_page" in meta:
        # A number; some servers send the address of the next page instead.
        next_page = meta["next_page"]
        has_next = _number(next_page) is not None or (
            isinstance(next_page, str) and next_page.strip() not in {"", "null"}
        )
    if current is not None and pages is not None:
        # A page too many costs one request, a page too few loses records, so any sign of another page counts.
        has_next = bool(has_next) or current < pages
    return Meta(
        current_page=current, total_pages=pages, total_count=_number(meta.get("total_count")), has_next=has_next
    )


def check_page_number(number: int, meta: Meta, request: RequestSummary) -> None:
    """Raises BadResponse if the response is another page than `number` and announces further pages.

    For a page beyond the end a server may return the last page (rows were removed meanwhile): an end, not an error.
    """
    if meta.current_page not in (None, number) and meta.has_next is not False:
        raise BadResponse(
            request,
            f"the listing does not advance: page {number} was asked, page {meta.current_page} came",
            "Run it again; tell the vendor if it stays, quoting the X-Request-Id.",
        )


def check_progress(before: list[Record], records: list[Record], meta: Meta, request: RequestSummary) -> None:
    """Raises BadResponse if a page without a number repeats the page before and announces further pages: a loop."""
    if meta.current_page is None and meta.has_next and record_ids(before) == record_ids(records):
        raise BadResponse(
            request,
            "the listing does not advance: the same page came twice",
            "Tell the vendor, quoting the X-Request-Id.",
        )


def record_ids(records: list[Record]) -> tuple[str, ...]:
    """The ids of a page's records, to compare pages."""
    return tuple(str(record.get("id", record)) for record in records)


def _records(entries: list[Any], request: RequestSummary) -> list[Record]:
    """Returns the objects of an array. A bare id (text or number) becomes {"id": ...}: event lists are documented as
    ids.

    Any other entry is kept as text under `as_received`, so that one broken entry does not cost the page. Raises
    BadResponse if all entries are broken.
    """
    records: list[Record] = []
    for entry in entries:
        if isinstance(entry, dict):
            records.append(entry)
        elif isinstance(entry, str | int) and not isinstance(entry, bool):
            records.append({"id": str(entry)})
        else:
            records.append({"as_received": json.dumps(entry)})
    if records and not any("id" in record or "as_received" not in record for record in records):
        raise BadResponse(request, "no entry of the list is an object", "Tell the vendor, quoting the X-Request-Id.")
    return records


def _is_record(value: object) -> bool:
    return isinstance(value, Mapping) and value.get("id") not in (None, "")


def _number(value: object) -> int | None:
    """Parses a whole number, or its text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 16:
        return int(value)
    return None


def _unknown_shape_error(endpoint: Endpoint, request: RequestSummary, what: str) -> BadResponse:
    return BadResponse(
        request,
        f"the answer {what}",
        "The server's shape may have changed: compare it with the wrapper keys in fullscript_pipeline/api/endpoints.py"
        f" ({endpoint.name}).",
    )
