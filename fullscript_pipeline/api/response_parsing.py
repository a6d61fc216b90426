"""From an answer's JSON to records: wrapper keys, `meta`, and when a listing has ended.

The vendor documents few wrapper keys, and `meta` only for top-level lists, so this room is tolerant about names and
strict about meaning: a shape that is not understood is a BadResponse, never an empty page. What does not belong here:
sending requests, or what a record means.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fullscript_pipeline.api.errors import Asked, BadResponse
from fullscript_pipeline.resources.types import Endpoint

Record = dict[str, Any]
PAGE_SIZE = 100  # the vendor's maximum; a server may ignore it


@dataclass(frozen=True)
class Page:
    """One page as received. `fetched_at` is UTC by the data's clock; `unexpected_wrapper` is a drift to report.

    `left_out`: ids of records that are not to be stored and are not in `records`, by what may stand for them.
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


@dataclass(frozen=True)
class One:
    """One object as received."""

    record: Record
    request_id: str | None
    fetched_at: datetime
    unexpected_wrapper: bool


@dataclass(frozen=True)
class Meta:
    """`meta` with numbers as numbers; None for what is absent. `has_next` None: it does not say."""

    current_page: int | None
    total_pages: int | None
    total_count: int | None
    has_next: bool | None


def read_list(endpoint: Endpoint, body: Any, asked: Asked) -> tuple[str, list[Record], bool]:
    """(wrapper key, records, unexpected?) of a list answer; key "" for a bare array. Raises BadResponse."""
    if isinstance(body, list):
        return "", _records(body, asked), True
    if not isinstance(body, dict):
        raise _not_understood(endpoint, asked, "is neither an object nor an array")
    for key in endpoint.wrapper_keys:
        if isinstance(body.get(key), list):
            return key, _records(body[key], asked), key != endpoint.wrapper_keys[0]
    arrays = [key for key, value in body.items() if key != "meta" and isinstance(value, list)]
    if len(arrays) != 1:
        raise _not_understood(endpoint, asked, f"has {len(arrays)} arrays and none under {endpoint.wrapper_keys[0]!r}")
    return arrays[0], _records(body[arrays[0]], asked), True


def read_one(endpoint: Endpoint, body: Any, asked: Asked, object_id: str | None = None) -> tuple[Record, bool]:
    """(record, unexpected wrapper?) of a detail answer: the expected key, `event_payload.event`, or a bare object.

    `object_id`: whose detail was asked for; a record under the expected key need not repeat it.
    """
    if isinstance(body, dict) and isinstance(body.get("event_payload"), dict):
        record, _ = read_one(endpoint, body["event_payload"], asked, object_id)
        return record, True
    if not isinstance(body, dict):
        raise _not_understood(endpoint, asked, "is not an object")
    for key in endpoint.wrapper_keys:
        if _is_record(body.get(key)):
            return body[key], key != endpoint.wrapper_keys[0]
        if object_id is not None and isinstance(body.get(key), dict) and body[key]:
            return {**body[key], "id": object_id}, key != endpoint.wrapper_keys[0]
    if _is_record(body):
        return body, True
    objects = [value for key, value in body.items() if key != "meta" and _is_record(value)]
    if len(objects) != 1:
        raise _not_understood(endpoint, asked, f"holds no object with an id under {endpoint.wrapper_keys[0]!r}")
    return objects[0], True


def read_meta(body: Any) -> Meta:
    """The paging facts of a list answer; all None when there is no `meta`. Numbers may come as text."""
    meta = body.get("meta") if isinstance(body, dict) else None
    if not isinstance(meta, dict):
        return Meta(None, None, None, None)
    current, pages = _number(meta.get("current_page")), _number(meta.get("total_pages"))
    following: bool | None = None
    if "next_page" in meta:
        # A number; some servers write the next page's address instead.
        value = meta["next_page"]
        following = _number(value) is not None or (isinstance(value, str) and value.strip() not in {"", "null"})
    if current is not None and pages is not None:
        # A page too many costs one request, a page too few loses records: any sign of another page counts.
        following = bool(following) or current < pages
    return Meta(current, pages, _number(meta.get("total_count")), following)


def check_number(number: int, meta: Meta, asked: Asked) -> None:
    """Raise BadResponse when the server answers another page than `number` and says that more follow.

    A page beyond the end may come back as the last one (rows vanished meanwhile); that is an end, not an error.
    """
    if meta.current_page not in (None, number) and meta.has_next is not False:
        raise BadResponse(
            asked,
            f"the listing does not advance: page {number} was asked, page {meta.current_page} came",
            "Run it again; tell the vendor if it stays, quoting the X-Request-Id.",
        )


def check_progress(before: list[Record], records: list[Record], meta: Meta, asked: Asked) -> None:
    """Raise BadResponse when a page without a number repeats the page before and says that more follow, for ever."""
    if meta.current_page is None and meta.has_next and record_ids(before) == record_ids(records):
        raise BadResponse(
            asked,
            "the listing does not advance: the same page came twice",
            "Tell the vendor, quoting the X-Request-Id.",
        )


def record_ids(records: list[Record]) -> tuple[str, ...]:
    """What tells one page from another."""
    return tuple(str(record.get("id", record)) for record in records)


def _records(values: list[Any], asked: Asked) -> list[Record]:
    """The array's objects. A bare id (text or number) becomes {"id": ...}: event lists are documented as ids.

    Anything else is handed on as text under `as_received`: one broken entry must not cost the page. Raises BadResponse
    when there is nothing but such entries.
    """
    records: list[Record] = []
    for value in values:
        if isinstance(value, dict):
            records.append(value)
        elif isinstance(value, str | int) and not isinstance(value, bool):
            records.append({"id": str(value)})
        else:
            records.append({"as_received": json.dumps(value)})
    if records and not any("id" in record or "as_received" not in record for record in records):
        raise BadResponse(asked, "no entry of the list is an object", "Tell the vendor, quoting the X-Request-Id.")
    return records


def _is_record(value: object) -> bool:
    return isinstance(value, Mapping) and value.get("id") not in (None, "")


def _number(value: object) -> int | None:
    """A whole number, also written as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 16:
        return int(value)
    return None


def _not_understood(endpoint: Endpoint, asked: Asked, what: str) -> BadResponse:
    return BadResponse(
        asked,
        f"the answer {what}",
        "The server's shape may have changed: compare it with the wrapper keys in fullscript_pipeline/api/endpoints.py"
        f" ({endpoint.name}).",
    )
