"""Frames on disk: seals a frame, and reads a file of frames, past bytes that are not a frame.

A frame is a header (`FSL2`, flags, payload length, its number in the file, which key sealed it, a checksum of all that)
and a payload: zstd, sealed with AES-256-GCM when there is a key (nonce first). Header and place of the file are the
associated data, so a frame cannot be opened in another place. With a key set, a frame that is not sealed is refused.
Files from before 2026-11-28 hold `FSL1` frames, without number, key, checksum or place. What does not belong here:
writing files and finding missing parts (`frame_file`), the content of a frame (`landing`).
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fullscript_pipeline.decompression import MAX_BYTES, unpack_frame
from fullscript_pipeline.errors import ConfigurationError, ServiceUnavailable

_MAGIC, _OLD_MAGIC = b"FSL2", b"FSL1"
_HEADER = struct.Struct(">4sBIIQ")  # magic, flags, payload length, number, key
_CHECKSUM = struct.Struct(">I")
_OLD_HEADER = struct.Struct(">4sBI")
_ENCRYPTED, _CLOSING = 1, 2
_NONCE, _TAG = 12, 16
# A page of the largest answer with a hash and an id for each record; a frame that unpacks to more is not ours.
MAX_TEXT_BYTES = 2 * MAX_BYTES
_LEVEL = 1  # smaller and twice as fast as 3 on pages of records


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A complete frame. `number` is None in frames of earlier versions; `payload` is the compressed text."""

    start: int
    end: int
    text: bytes
    number: int | None = None
    is_closing: bool = False
    payload: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Bytes that are not a frame, from `start` to `end`, where the next frame begins (None: no frame follows)."""

    start: int
    end: int | None


def _compressed(text: bytes) -> bytes:
    """Compresses the text, with a checksum. Raises ServiceUnavailable for a text that is too large to be read back."""
    if len(text) > MAX_TEXT_BYTES:
        raise ServiceUnavailable(
            f"A page of the answer is {len(text)} bytes with its records' ids, more than the {MAX_TEXT_BYTES} that can "
            "be stored: tell the vendor."
        )
    # A new compressor each time: several threads land at once.
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(text)


class FrameFormat:
    """Seals and opens the frames of one file. `place`: the path that they are bound to (server/owner/day/pull)."""

    def __init__(self, encryption_key: str | None, place: Path) -> None:
        self._cipher = AESGCM(_derived(encryption_key, "landing", 32)) if encryption_key else None
        self._key = int.from_bytes(_derived(encryption_key, "landing key", 8)) if encryption_key else 0
        self._place = "/".join((*place.parent.parts[-3:], place.stem)).encode()

    def seal_text(self, text: bytes, number: int, *, is_closing: bool = False) -> bytes:
        """Returns the bytes of a frame with this text. Raises ServiceUnavailable for a text that is too large."""
        return self.seal(_compressed(text), number, is_closing=is_closing)

    def seal(self, payload: bytes, number: int, *, is_closing: bool = False) -> bytes:
        """Returns the bytes of a frame. `payload`: a text compressed."""
        flags = (_ENCRYPTED if self._cipher else 0) | (_CLOSING if is_closing else 0)
        length = len(payload) + (_NONCE + _TAG if self._cipher else 0)
        header = _HEADER.pack(_MAGIC, flags, length, number, self._key)
        header += _CHECKSUM.pack(zlib.crc32(header))
        if self._cipher:
            nonce = os.urandom(_NONCE)
            payload = nonce + self._cipher.encrypt(nonce, payload, header + self._place)
        return header + payload

    def pieces(self, path: Path) -> Iterator[Frame | Gap]:
        """Yields the pieces of the file in order. Raises ConfigurationError if another key sealed it."""
        with path.open("rb") as file:
            at, size, opened = 0, os.fstat(file.fileno()).st_size, False
            while at < size:
                frame = self._frame_at(file, at)
                if frame is None:
                    following = self._next_frame(file, at + 1)
                    if following is None and not opened and self._may_be_another_key(file):
                        raise _another_key(file.name, or_damaged=True)
                    yield Gap(start=at, end=following)
                    if following is None:
                        return
                    at = following
                else:
                    opened = True
                    yield frame
                    at = frame.end

    def _next_frame(self, file: BinaryIO, at: int) -> int | None:
        """The offset of the next readable frame, from `at` on; None: there is none."""
        file.seek(at)
        remaining, offset = file.read(), -1
        while (offset := remaining.find(_MAGIC[:3], offset + 1)) >= 0:
            if self._frame_at(file, at + offset) is not None:
                return at + offset
        return None

    def _frame_at(self, file: BinaryIO, at: int) -> Frame | None:
        """The frame that begins at `at`; None if there is no complete frame."""
        file.seek(at)
        header = file.read(_HEADER.size + _CHECKSUM.size)
        if header.startswith(_OLD_MAGIC) and len(header) >= _OLD_HEADER.size:
            return self._old_frame_at(file, at, header[: _OLD_HEADER.size])
        if len(header) < _HEADER.size + _CHECKSUM.size or not header.startswith(_MAGIC):
            return None
        _, flags, length, number, key = _HEADER.unpack(header[: _HEADER.size])
        if zlib.crc32(header[: _HEADER.size]) != _CHECKSUM.unpack(header[_HEADER.size :])[0]:
            return None
        payload = file.read(length)
        if len(payload) < length:
            return None
        if flags & _ENCRYPTED and key != self._key:
            raise _another_key(file.name, is_set=self._cipher is not None)
        opened = self._opened(payload, bool(flags & _ENCRYPTED), header + self._place)
        if opened is None:
            return None
        if self._cipher and not flags & _ENCRYPTED:
            raise _not_sealed(file.name, at)
        return Frame(
            start=at,
            end=at + len(header) + length,
            text=opened[1],
            number=number,
            is_closing=bool(flags & _CLOSING),
            payload=opened[0],
        )

    def _old_frame_at(self, file: BinaryIO, at: int, header: bytes) -> Frame | None:
        _, flags, length = _OLD_HEADER.unpack(header)
        file.seek(at + len(header))
        payload = file.read(length)
        if len(payload) < length or flags not in (0, _ENCRYPTED):
            return None
        if flags and self._cipher is None and self._opened(payload, False, b"") is None:
            raise _another_key(file.name, is_set=False)
        opened = self._opened(payload, bool(flags), header)
        if opened is not None and self._cipher and not flags:
            raise _not_sealed(file.name, at)
        return (
            None
            if opened is None
            else Frame(start=at, end=at + len(header) + length, text=opened[1], payload=opened[0])
        )

    def _may_be_another_key(self, file: BinaryIO) -> bool:
        """Whether the file begins like a sealed file of an earlier version, which does not name its key."""
        file.seek(0)
        begin = file.read(len(_OLD_MAGIC) + 1)
        return self._cipher is not None and begin == _OLD_MAGIC + bytes([_ENCRYPTED])

    def _opened(self, payload: bytes, is_sealed: bool, associated: bytes) -> tuple[bytes, bytes] | None:
        """Returns the payload without its seal, and its text; None if it is not what was written."""
        try:
            if is_sealed:
                if self._cipher is None:
                    return None
                payload = self._cipher.decrypt(payload[:_NONCE], payload[_NONCE:], associated)
        except (InvalidTag, ValueError):
            return None
        # Also None if bytes follow the end: a wrong length would hide further frames.
        text = unpack_frame(payload, MAX_TEXT_BYTES)
        return None if text is None else (payload, text)


def _another_key(path: str, *, is_set: bool = True, or_damaged: bool = False) -> ConfigurationError:
    if not is_set:
        return ConfigurationError(f"{path} is encrypted; set FULLSCRIPT_ENCRYPTION_KEY to the key it was made with.")
    damaged = " If that is the one which is set, the file is damaged: move it away." if or_damaged else ""
    return ConfigurationError(
        f"{path} cannot be read with FULLSCRIPT_ENCRYPTION_KEY as it is set; set the key it was made with.{damaged}"
    )


def _not_sealed(path: str, offset: int) -> ConfigurationError:
    return ConfigurationError(
        f"{path} holds a page at byte {offset} that is not encrypted, although FULLSCRIPT_ENCRYPTION_KEY is set: a run "
        "without the key wrote it, or somebody else. Move the file away and pull again; its pages are fetched again."
    )


def _derived(encryption_key: str, purpose: str, length: int) -> bytes:
    info = f"fullscript-pipeline {purpose}".encode()
    return HKDF(hashes.SHA256(), length, salt=None, info=info).derive(encryption_key.encode())
