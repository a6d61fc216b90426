"""Landing: every page as received, one encrypted or compressed frame each, appended and synced before it is used.

The frames are the resume checkpoint and the source that core can be rebuilt from without an API call. A file holds one
pull of one resource. The first line of a frame is `{"frame": ...}`, the request and where its answer came from; every
other line is one record: `{"hash", "id", "record"}`, in this order. What does not belong here: DuckDB, typing.

On disk a frame is `FSL1`, flags (1 byte: 1 = encrypted), length (4 bytes), payload. The payload is zstd, sealed with
AES-256-GCM when there is a key (nonce first, the header as associated data). A torn last frame is cut off on reopening.
"""

import errno
import hashlib
import json
import os
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fullscript_pipeline.errors import ConfigurationError, PipelineError

# Links that let their holder act as the patient, and results' short-lived addresses: never written to disk.
SECRET_KEYS = frozenset({"invitation_url", "checkout_url", "practitioner_pay_url", "pdf_url"})

NO_ID = "no-id:"
UNREADABLE = "unreadable:"
UNKEYED = (NO_ID, UNREADABLE)  # how the id of a row begins that has none of its own
AS_RECEIVED = "as_received"

_MAGIC = b"FSL1"
_HEADER = struct.Struct(">4sBI")
_ENCRYPTED = 1
_HASH = b'{"hash":"'
_ID = b'","id":"'
_RECORD = b',"record":'
_HASH_LENGTH = 32
_LEVEL = 1  # smaller and twice as fast as 3 on pages of records
_SECRETS = tuple(f'"{key}"'.encode() for key in SECRET_KEYS)
_SECRETS_END = b'_url"'  # all of them: one look instead of four at a record that has none


class DiskTrouble(PipelineError):
    """What was received cannot be written."""

    exit_code = 78


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
    """Where an answer came from; `parent_id`: the object that its records were listed under."""

    clinic_id: str
    region: str
    fetched_at: str
    request_id: str | None
    parent_id: str | None = None


@dataclass(frozen=True)
class Request:
    """What a frame answers: enough to know that a page need not be asked again.

    `key` tells requests of one endpoint apart (the parent, the id, the filter); `found` is False for a 404. A list that
    moved while it was read is walked again: `walk` counts from 1. `is_bare`: the answer was an array on its own.
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
    envelope: Envelope | None = None

    @property
    def parent_id(self) -> str | None:
        return self.envelope.parent_id if self.envelope else None


def without_secrets(value: Any) -> Any:
    """The same JSON value without the named secret keys, at any depth."""
    if isinstance(value, dict):
        return {key: without_secrets(one) for key, one in value.items() if key not in SECRET_KEYS}
    if isinstance(value, list):
        return [without_secrets(one) for one in value]
    return value


def canonical(record: Mapping[str, Any]) -> bytes:
    """Sorted keys, no spaces: key order must not look like a change. Raises TypeError for text that is not Unicode."""
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def content_hash(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=16).hexdigest()


class FrameFile:
    """An append-only file of frames; safe for several threads of one process."""

    def __init__(self, path: Path, encryption_key: str | None = None) -> None:
        self.path = path
        self._cipher = AESGCM(_derived(encryption_key)) if encryption_key else None
        self._lock = threading.Lock()
        self.appended = 0
        self.appended_pages = 0
        self.size = Size()
        self._first_walks: dict[tuple[str, str], int] = {}

    def append(self, request: Request, lines: Sequence[bytes]) -> None:
        """Writes one frame and syncs it: afterwards the page survives a crash. Raises DiskTrouble; leaves no part."""
        head = orjson.dumps({"frame": request})
        # A compressor of its own: several threads land at the same time.
        payload = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(b"\n".join((head, *lines)))
        size = len(payload) + (28 if self._cipher else 0)
        header = _HEADER.pack(_MAGIC, _ENCRYPTED if self._cipher else 0, size)
        if self._cipher:
            nonce = os.urandom(12)
            payload = nonce + self._cipher.encrypt(nonce, payload, header)
        with self._lock:
            self._write(header + payload)
            self.appended += 1
            self.appended_pages += request.total_count is not None or request.records != 1
            self.size = self.size.plus(lines)

    def _write(self, frame: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab", buffering=0) as file:
                before = os.fstat(descriptor).st_size
                try:
                    if file.write(frame) != len(frame):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(descriptor)
                except OSError:
                    os.truncate(descriptor, before)  # half a frame would hide what comes after it
                    raise
        except OSError as problem:
            raise DiskTrouble(
                f"{self.path} cannot be written ({problem.strerror}); free some space or correct the folder's "
                "permissions, then pull again: what is landed is not asked again."
            ) from None

    def only_from(self, endpoint: str, key: str, walk: int) -> None:
        """Of this list only the frames of this walk and later ones count: the earlier ones were of a moving list."""
        self._first_walks[endpoint, key] = walk

    def frames(self) -> Iterator[tuple[Request, list[bytes]]]:
        """Every whole frame in order. Raises ConfigurationError when the key is not the one it was sealed with."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            while (header := file.read(_HEADER.size)) and len(header) == _HEADER.size:
                magic, flags, size = _HEADER.unpack(header)
                payload = file.read(size)
                if magic != _MAGIC or len(payload) < size:
                    return
                text = zstandard.ZstdDecompressor().decompress(self._opened(payload, flags, header))
                head, *lines = text.split(b"\n")
                request = _parse_request(head)
                if request.walk >= self._first_walks.get((request.endpoint, request.key), 1):
                    yield request, lines

    def records(self) -> Iterator[tuple[Request, Iterator[Line]]]:
        """Every frame with its records."""
        for request, lines in self.frames():
            yield request, _parse_lines(lines, request.parent_id)

    def requests(self) -> list[Request]:
        return [request for request, _ in self.frames()]

    def lines(self, endpoint: str | None = None) -> Iterator[Line]:
        """Every record, optionally of one endpoint only, in the order received."""
        for request, lines in self.frames():
            if endpoint is None or request.endpoint == endpoint:
                yield from _parse_lines(lines, request.parent_id)

    def cut_torn_end(self) -> None:
        """Drops a frame that a crash left unfinished, so that the next append starts at a clean edge."""
        if not self.path.exists():
            return
        good = 0
        with self.path.open("rb") as file:
            while (header := file.read(_HEADER.size)) and len(header) == _HEADER.size:
                magic, _, size = _HEADER.unpack(header)
                if magic != _MAGIC or len(file.read(size)) < size:
                    break
                good = file.tell()
        if good < self.path.stat().st_size:
            os.truncate(self.path, good)

    def rename(self, suffix: str) -> None:
        """The file, if anything was landed, goes on under another suffix."""
        if self.path.exists():
            self.path = self.path.rename(self.path.with_suffix(suffix))

    def _opened(self, payload: bytes, flags: int, header: bytes) -> bytes:
        if not flags & _ENCRYPTED:
            return payload
        if self._cipher is None:
            raise ConfigurationError(
                f"{self.path} is encrypted; set FULLSCRIPT_ENCRYPTION_KEY to the key it was made with."
            )
        try:
            return self._cipher.decrypt(payload[:12], payload[12:], header)
        except InvalidTag:
            raise ConfigurationError(
                f"{self.path} cannot be read with FULLSCRIPT_ENCRYPTION_KEY as it is set; set the key it was made with."
            ) from None


def make_line(record: Mapping[str, Any]) -> bytes:
    """A line of a frame; see `keyed_line`."""
    return keyed_line(record)[1]


def keyed_line(record: Mapping[str, Any]) -> tuple[str, bytes]:
    """(id, line of a frame). A record without an id, or with text that is no Unicode, is landed so that the load can
    tell (`NO_ID`, `UNREADABLE`): it goes to quarantine there, and nothing is lost here."""
    try:
        text = canonical(record)
        if _SECRETS_END in text and any(key in text for key in _SECRETS):
            text = canonical(without_secrets(record))
        digest = content_hash(text)
        own = record.get("id")
        record_id = NO_ID + digest if own is None or own == "" else str(own)
        id_text = orjson.dumps(record_id)
    except TypeError:
        text = orjson.dumps({AS_RECEIVED: json.dumps(without_secrets(record), sort_keys=True)})
        digest = content_hash(text)
        # With its own id, where that can be read: the object is there and must not be taken for gone.
        own = str(record.get("id") or "")
        record_id = own if own and own.isprintable() else UNREADABLE + digest
        id_text = orjson.dumps(record_id)
    return record_id, b'{"hash":"%b","id":%b,"record":%b}' % (digest.encode(), id_text, text)


def parse_line(line: bytes, parent_id: str | None = None) -> Line:
    """The record of a line, listed under `parent_id`."""
    return next(_parse_lines([line], parent_id))


def _parse_lines(lines: Iterable[bytes], parent_id: str | None) -> Iterator[Line]:
    """Every record of every pull goes through here several times: an id that needs no unescaping is cut out."""
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


def _parse_request(head: bytes) -> Request:
    fields = orjson.loads(head)["frame"]
    envelope = fields.pop("envelope", None)
    return Request(**fields, envelope=Envelope(**envelope) if envelope else None)


def _derived(encryption_key: str) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"fullscript-pipeline landing").derive(encryption_key.encode())
