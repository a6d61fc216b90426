"""The content of a landing frame. Each received page is one frame, which is appended and synced before it is used.

The frames are the resume checkpoint, and core can be rebuilt from them without an API call. A file holds one pull of
one resource. The first line of a frame is `{"frame": ...}`: the request, and where its answer came from. Every other
line is one record: `{"hash", "id", "record"}`, in this order. What does not belong here: the file on disk, its
compression and encryption (`frame_file`), DuckDB, typing.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from fullscript_pipeline.ids import id_text, usable_id
from fullscript_pipeline.json_text import large_numbers_as_text

# Links that let their holder act as the patient, and short-lived addresses of results: never written to disk.
SECRET_KEYS = frozenset({"invitation_url", "checkout_url", "practitioner_pay_url", "pdf_url"})

NO_ID = "no-id:"
UNREADABLE = "unreadable:"
UNREQUESTABLE = "cannot-be-asked:"
NAMELESS = (NO_ID, UNREADABLE)  # prefixes of the id of a row whose object is unknown
UNKEYED = (*NAMELESS, UNREQUESTABLE)  # the same, and of a row whose object cannot be requested
AS_RECEIVED = "as_received"

_HASH = b'{"hash":"'
_ID = b'","id":"'
_RECORD = b',"record":'
_HASH_LENGTH = 32
_SECRETS = tuple(f'"{key}"'.encode() for key in SECRET_KEYS)
_SECRETS_END = b'_url"'  # of every secret key: one search instead of four in a record that has none


class Size(NamedTuple):
    """The number of lines of a file, their total length and the length of the longest, in bytes."""

    lines: int = 0
    length: int = 0
    largest: int = 0

    def plus(self, lines: Sequence[bytes]) -> "Size":
        lengths = [len(line) for line in lines]
        return Size(self.lines + len(lines), self.length + sum(lengths), max(self.largest, *lengths, 0))


class Line(NamedTuple):
    """A landed record. `record` is its JSON text; `parent_id` is the object that it was listed under, or None."""

    id: str
    parent_id: str | None
    hash: str
    record: bytes


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """Where an answer came from.

    `parent_id`: the object that its records were listed under. `seen_as`: the users, each with their scopes, whose
    token may have been used (empty in frames from before 2026-11-28).
    """

    clinic_id: str
    region: str
    fetched_at: str
    request_id: str | None
    parent_id: str | None = None
    seen_as: Sequence[tuple[str | None, Sequence[str]]] = ()


@dataclass(frozen=True, kw_only=True)
class Request:
    """The request that a frame answers, so that a resumed pull does not fetch the page again.

    `key` distinguishes requests to one endpoint (the parent, the id, the filter). `found` is False for a 404. A list
    that changed while it was read is read again: `walk` counts these readings from 1. `is_bare`: the answer was an
    array without a wrapper. `of_others`: the number of rows that belong to another patient than the one whose list was
    requested. `left_out`: marks in place of the rows of purged people.
    """

    endpoint: str
    key: str
    page: int = 1
    records: int = 0
    is_last: bool = True
    total_count: int | None = None
    found: bool = True
    total_pages: int | None = None
    walk: int = 1
    is_bare: bool = False
    of_others: int = 0
    left_out: Sequence[str] = ()
    envelope: Envelope | None = None

    @property
    def parent_id(self) -> str | None:
        return self.envelope.parent_id if self.envelope else None


def without_secrets(value: Any) -> Any:
    """Returns the JSON value without the secret keys, at any depth."""
    if isinstance(value, dict):
        return {key: without_secrets(member) for key, member in value.items() if key not in SECRET_KEYS}
    if isinstance(value, list):
        return [without_secrets(member) for member in value]
    return value


def canonical(record: Mapping[str, Any]) -> bytes:
    """Encodes with sorted keys, so that key order is no change. Raises TypeError for text that is not Unicode."""
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def content_hash(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def make_line(record: Mapping[str, Any]) -> bytes:
    """A line of a frame; see `keyed_line`."""
    return keyed_line(record)[1]


def keyed_line(record: Mapping[str, Any]) -> tuple[str, bytes]:
    """Returns (id, line of a frame).

    A record without an id, with an id that cannot be requested, or with text that is not Unicode is landed under an id
    that says so (`UNKEYED`): nothing is lost here, and the load moves it to quarantine.
    """
    try:
        text = _landed(record)
        digest = content_hash(text)
        record_id = record_key(record.get("id"), digest)
    except TypeError:
        text = orjson.dumps({AS_RECEIVED: json.dumps(without_secrets(record), sort_keys=True)})
        digest = content_hash(text)
        # With its own id, where that can be read: the object exists and must not be marked as removed.
        record_id = usable_id(record.get("id")) or UNREADABLE + digest
    return record_id, b'{"hash":"%b","id":%b,"record":%b}' % (digest.encode(), orjson.dumps(record_id), text)


def record_key(own: object, digest: str) -> str:
    """The id under which a record is landed: its own, or a prefix that says why not and the content's `digest`."""
    if (usable := usable_id(own)) is not None:
        return usable
    text = id_text(own)
    return NO_ID + digest if text is None else UNREQUESTABLE + content_hash(text.encode(errors="surrogatepass"))


def _landed(record: Mapping[str, Any]) -> bytes:
    """The record's JSON without secrets."""
    try:
        text = canonical(record)
    except TypeError:
        record = large_numbers_as_text(record)
        text = canonical(record)
    if _SECRETS_END in text and any(key in text for key in _SECRETS):
        return canonical(without_secrets(record))
    return text


def parse_line(line: bytes, parent_id: str | None = None) -> Line:
    """The record of a line, listed under `parent_id`."""
    return next(parse_lines([line], parent_id))


def parse_lines(lines: Iterable[bytes], parent_id: str | None) -> Iterator[Line]:
    """Yields the records of a frame's lines.

    Every record of every pull passes here several times, so an id without escapes is cut out instead of parsed.
    """
    ends, begins = len(_HASH) + _HASH_LENGTH, len(_HASH) + _HASH_LENGTH + len(_ID)
    for line in lines:
        cut = line.index(_RECORD)
        record = line[cut + len(_RECORD) : -1]
        if line.startswith(_HASH) and b"\\" not in line[begins:cut]:
            yield Line(line[begins : cut - 1].decode(), parent_id, line[len(_HASH) : ends].decode(), record)
        else:
            # Also lines from before 2026-11-26, which had an envelope each.
            head = orjson.loads(line[:cut] + b"}")
            yield Line(head["id"], head.get("parent_id", parent_id), head["hash"], record)


def parse_request(head: bytes) -> Request:
    """Parses the first line of a frame."""
    fields = orjson.loads(head)["frame"]
    envelope = fields.pop("envelope", None)
    return Request(**fields, envelope=Envelope(**envelope) if envelope else None)
