"""Answers that a fault makes up or spoils. What does not belong here: sockets (`socket_faults`) and when (`faults`)."""

import gzip
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from itertools import pairwise
from typing import Any

import orjson
import zstandard

from fullscript_pipeline.sandbox.faults import Rule, encodings_of
from fullscript_pipeline.sandbox.socket_faults import CapturedResponse

PAGE = b"<!doctype html><html><head><title>One moment</title></head><body><h1>We will be right back</h1></body></html>"
HTML = {"content-type": "text/html; charset=utf-8"}
JSON = {"content-type": "application/json"}
BODIES = {
    "empty_object_200": b"{}",
    "empty_array_200": b"[]",
    "error_200": b'{"error": "Internal server error"}',
}
WORDS = ("state", "status", "type", "gender", "availability", "source", "current_state")
STATUSES = {
    "http_500": 500,
    "too_many_requests": 429,
    "too_many_requests_seconds": 429,
    "too_many_requests_date": 429,
    "unauthorized": 401,
    "forbidden": 403,
    "invalid_client": 400,
    "not_found": 404,
}
SENTENCES = {
    500: "Internal server error",
    429: "Rate limit exceeded",
    400: "invalid_client",
    401: "The access token is missing, invalid, expired or revoked",
    403: "Forbidden",
    404: "Not found",
}


def make_canned_response(rule: Rule, request_id: str, port: int, path: str) -> CapturedResponse:
    """The answer that a fault puts in the place of the endpoint's."""
    headers = {"x-request-id": request_id}
    if rule.kind == "no_content_204":
        return CapturedResponse(status=204, headers=headers)
    if rule.kind in BODIES:
        return CapturedResponse(status=200, headers=headers | JSON, body=BODIES[rule.kind])
    if rule.kind == "decompression_bomb":
        encodings = encodings_of(rule)
        return CapturedResponse(
            status=200, headers=headers | JSON | {"content-encoding": ", ".join(encodings)}, body=bomb(encodings)
        )
    if rule.kind == "redirect_elsewhere":
        # The same sandbox by another name is another host to a client.
        return CapturedResponse(
            status=302, headers=headers | {"location": f"http://localhost:{port}/_sandbox/elsewhere{path}"}
        )
    if rule.kind in STATUSES:
        status = STATUSES[rule.kind]
        return CapturedResponse(
            status=status, headers=headers | JSON | _retry_after(rule), body=orjson.dumps({"error": SENTENCES[status]})
        )
    return CapturedResponse(status=int(rule.kind.rpartition("_")[2]), headers=headers | HTML, body=PAGE)


def malform_response(rule: Rule, answer: CapturedResponse) -> CapturedResponse:
    """The endpoint's answer, made malformed."""
    headers = {key: text for key, text in answer.headers.items() if key != "content-length"}
    match rule.kind:
        case "truncated_json":
            return CapturedResponse(status=answer.status, headers=headers, body=answer.body[: len(answer.body) // 2])
        case "bad_gzip":
            return CapturedResponse(
                status=answer.status,
                headers=headers | {"content-encoding": "gzip"},
                body=b"\x1f\x8b\x08\x00" + answer.body,
            )
        case "wrong_charset":
            wrong = answer.body.decode().encode("utf-16-le")
            return CapturedResponse(
                status=answer.status, headers=headers | {"content-type": "application/json; charset=utf-8"}, body=wrong
            )
        case "missing_request_id":
            without_id = {key: text for key, text in headers.items() if key != "x-request-id"}
            return CapturedResponse(status=answer.status, headers=without_id, body=answer.body)
    if rule.kind == "clock_skew":
        headers["date"] = format_datetime(datetime.now(UTC) + timedelta(seconds=rule.seconds), usegmt=True)
    if answer.status != 200:
        return CapturedResponse(status=answer.status, headers=headers, body=answer.body)
    body = orjson.loads(answer.body)
    if rule.kind == "clock_skew":
        _skew(body, rule.seconds)
    _change_records(_records(body), rule)
    return CapturedResponse(status=answer.status, headers=headers, body=orjson.dumps(body))


def _change_records(records: list[dict[str, Any]], rule: Rule) -> None:
    match rule.kind:
        case "field_retyped":
            any(_retype(record, rule) for record in records)
        case "odd_id":
            for record in records[:1]:
                record["id"] = ".." if rule.value is None else rule.value
        case "child_moved" | "child_shared":
            _move_child(records, keep=rule.kind == "child_shared")
        case _:
            any((_new_word if rule.kind == "unknown_word" else _stale)(record, rule.kind) for record in records)


def change_page_meta(answer: CapturedResponse, kind: str) -> CapturedResponse:
    """A page of a list with a `meta` that does not fit, or without its rows."""
    body = orjson.loads(answer.body)
    if answer.status != 200 or "meta" not in body:
        return answer
    meta = body["meta"]
    if kind in {"empty_list", "null_list"}:
        rows: list[Any] | None = None if kind == "null_list" else []
        body = {key: rows if isinstance(content, list) else content for key, content in body.items()}
        meta |= {"total_pages": 0, "total_count": 0} if kind == "empty_list" else {}
    elif kind == "total_count_zero":
        meta["total_count"] = 0
    elif kind == "total_pages_zero":
        meta["total_pages"] = 0
    else:
        meta["total_pages"] = max(meta["total_pages"] + (1 if kind == "total_pages_grows" else -1), 1)
    current = meta["current_page"]
    meta["next_page"] = current + 1 if current < meta["total_pages"] else None
    headers = {key: content for key, content in answer.headers.items() if key != "content-length"}
    return CapturedResponse(status=answer.status, headers=headers, body=orjson.dumps(body))


def merge_pages(answer: CapturedResponse, neighbour: CapturedResponse, *, repeated: bool) -> CapturedResponse:
    """The `meta` of a page with the rows of another one, or with the last of them in front of its own."""
    body, neighbour_body = orjson.loads(answer.body), orjson.loads(neighbour.body)
    for key, rows in body.items():
        if isinstance(rows, list):
            body[key] = neighbour_body.get(key, [])[-1:] + rows if repeated else neighbour_body.get(key, [])
    headers = {key: text for key, text in answer.headers.items() if key != "content-length"}
    return CapturedResponse(status=answer.status, headers=headers, body=orjson.dumps(body))


def _retry_after(rule: Rule) -> dict[str, str]:
    if rule.kind == "too_many_requests_seconds":
        return {"retry-after": str(round(rule.seconds))}
    if rule.kind == "too_many_requests_date":
        return {"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=rule.seconds), usegmt=True)}
    return {}


@cache
def bomb(encodings: tuple[str, ...] = ("gzip",), megabytes: int = 1024) -> bytes:
    """So many megabytes of blanks, compressed to a thousandth or less, once for each of the encodings."""
    first, *others = encodings
    body = _BOMBS[first](b" " * 2**20, megabytes)
    for encoding in others:
        body = _PACKED[encoding](body)
    return body


def _gzip_bomb(blanks: bytes, times: int) -> bytes:
    checksum = 0
    for _ in range(times):
        checksum = zlib.crc32(blanks, checksum)
    tail = checksum.to_bytes(4, "little") + (times * len(blanks) % 2**32).to_bytes(4, "little")
    return gzip.compress(b"")[:10] + _deflated(blanks, times) + tail


def _deflated(blanks: bytes, times: int) -> bytes:
    # Flushed, a block stands for itself: again and again it is the same.
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return (packer.compress(blanks) + packer.flush(zlib.Z_FULL_FLUSH)) * times + b"\x03\x00"


def _zstd_bomb(blanks: bytes, times: int) -> bytes:
    return zstandard.compress(blanks) * times


_BOMBS = {"gzip": _gzip_bomb, "deflate": _deflated, "zstd": _zstd_bomb}
_PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}


def _retype(record: dict[str, Any], rule: Rule) -> bool:
    # The first such field of a record or of its parts.
    for key, content in record.items():
        if key == rule.field or (not rule.field and isinstance(content, bool | int | float)):
            record[key] = "unheard of" if rule.value is None else rule.value
            return True
        parts = content if isinstance(content, list) else [content]
        if any(_retype(part, rule) for part in parts if isinstance(part, dict)):
            return True
    return False


def _move_child(records: list[dict[str, Any]], *, keep: bool) -> None:
    for giver, taker in pairwise(records):
        for key, parts in giver.items():
            if isinstance(parts, list) and parts and isinstance(parts[0], dict) and isinstance(taker.get(key), list):
                taker[key].append(parts[-1] if keep else parts.pop())
                return


def _skew(body: Any, seconds: float) -> None:
    if "oauth" in body:
        created = datetime.fromisoformat(body["oauth"]["created_at"]) + timedelta(seconds=seconds)
        body["oauth"]["created_at"] = created.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _records(body: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    for key, content in body.items():
        if key not in {"meta", "oauth"}:
            records += content if isinstance(content, list) else [content]
    return [record for record in records if isinstance(record, dict)]


def _new_word(record: dict[str, Any], _: str) -> bool:
    for key in WORDS:
        if isinstance(record.get(key), str):
            record[key] = "unheard_of"
            return True
    return False


def _stale(record: dict[str, Any], kind: str) -> bool:
    if kind != "row_changed":
        return True
    for key in ("name", "first_name", "order_number", "sku", "personal_message"):
        if isinstance(record.get(key), str):
            record[key] += " (before)"
            return True
    return False
