"""Landing: what a frame says. Every page as received is a frame, appended and synced before it is used.

The frames are the resume checkpoint and the source that core can be rebuilt from without an API call. A file holds one
pull of one resource. The first line of a frame is `{"frame": ...}`, the request and where its answer came from; every
other line is one record: `{"hash", "id", "record"}`, in this order. What does not belong here: the file on disk, its
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

# Links that let their holder act as the patient, and results' short-lived addresses: never written to disk.
SECRET_KEYS = frozenset({"invitation_url", "checkout_url", "practitioner_pay_url", "pdf_url"})

NO_ID = "no-id:"
UNREADABLE = "unreadable:"
UNREQUESTABLE = "cannot-be-asked:"
NAMELESS = (NO_ID, UNREADABLE)  # how the id of a row begins that does not tell which object it is
UNKEYED = (*NAMELESS, UNREQUESTABLE)  # and of one that no request can be made for
AS_RECEIVED = "as_received"

_HASH = b'{"hash":"'
_ID = b'","id":"'
_RECORD = b',"record":'
_HASH_LENGTH = 32
_SECRETS = tuple(f'"{key}"'.encode() for key in SECRET_KEYS)
_SECRETS_END = b'_url"'  # all of them: one look instead of four at a record that has none


class Size(NamedTuple):
    """How many lines a file has, their length and that of the largest, in bytes."""

    lines: int = 0
    length: int = 0
    largest: int = 0

    def plus(self, lines: Sequence[bytes]) -> "Size":
        lengths = [len(line) for line in lines]
        return Size(self.lines + len(lines), self.length + sum(lengths), max(self.largest, *lengths, 0))


class Line(NamedTuple):
    """One record as landed. `record` is its JSON text; `parent_id` the object it was listed under, else None."""

    id: str
    parent_id: str | None
    hash: str
    record: bytes


@dataclass(frozen=True)
class Envelope:
    """Where an answer came from; `parent_id`: the object that its records were listed under; `seen_as`: the users, each
    with the scopes, whose token may have asked for it (none: a frame of before 2026-11-28)."""

    clinic_id: str
    region: str
    fetched_at: str
    request_id: str | None
    parent_id: str | None = None
    seen_as: Sequence[tuple[str | None, Sequence[str]]] = ()


@dataclass(frozen=True)
class Request:
    """What a frame answers: enough to know that a page need not be asked again.

    `key` tells requests of one endpoint apart (the parent, the id, the filter); `found` is False for a 404. A list that
    moved while it was read is walked again: `walk` counts from 1. `is_bare`: the answer was an array on its own;
    `of_others`: so many rows are of another patient than the one whose list was asked for; `left_out`: what stands for
    rows of people who are not to be stored.
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
    """The same JSON value without the named secret keys, at any depth."""
    if isinstance(value, dict):
        return {key: without_secrets(member) for key, member in value.items() if key not in SECRET_KEYS}
    if isinstance(value, list):
        return [without_secrets(member) for member in value]
    return value


def canonical(record: Mapping[str, Any]) -> bytes:
    """Sorted keys, no spaces: key order must not look like a change. Raises TypeError for text that is not Unicode."""
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def content_hash(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def make_line(record: Mapping[str, Any]) -> bytes:
    """A line of a frame; see `keyed_line`."""
    return keyed_line(record)[1]


def keyed_line(record: Mapping[str, Any]) -> tuple[str, bytes]:
    """(id, line of a frame). A record without an id, with one that cannot be asked for, or with text that is no
    Unicode, is landed so that the load can tell (`UNKEYED`): it goes to quarantine there, and nothing is lost here."""
    try:
        text = _landed(record)
        digest = content_hash(text)
        record_id = record_key(record.get("id"), digest)
    except TypeError:
        text = orjson.dumps({AS_RECEIVED: json.dumps(without_secrets(record), sort_keys=True)})
        digest = content_hash(text)
        # With its own id, where that can be read: the object is there and must not be taken for gone.
        record_id = usable_id(record.get("id")) or UNREADABLE + digest
    return record_id, b'{"hash":"%b","id":%b,"record":%b}' % (digest.encode(), orjson.dumps(record_id), text)


def record_key(own: object, digest: str) -> str:
    """The id under which a record is landed: its own, or what tells why there is none; `digest` is of its content."""
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
    """The records of a frame's lines.

    Every record of every pull goes through here several times: an id that needs no unescaping is cut out.
    """
    ends, begins = len(_HASH) + _HASH_LENGTH, len(_HASH) + _HASH_LENGTH + len(_ID)
    for line in lines:
        cut = line.index(_RECORD)
        record = line[cut + len(_RECORD) : -1]
        if line.startswith(_HASH) and b"\\" not in line[begins:cut]:
            yield Line(line[begins : cut - 1].decode(), parent_id, line[len(_HASH) : ends].decode(), record)
        else:
            # Also lines of before 2026-11-26, which had their envelope each.
            head = orjson.loads(line[:cut] + b"}")
            yield Line(head["id"], head.get("parent_id", parent_id), head["hash"], record)


def parse_request(head: bytes) -> Request:
    """What the first line of a frame says."""
    fields = orjson.loads(head)["frame"]
    envelope = fields.pop("envelope", None)
    return Request(**fields, envelope=Envelope(**envelope) if envelope else None)
