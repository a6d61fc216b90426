"""Decompression with an upper bound: a small response or file must not become gigabytes of memory.

The input is decompressed in pieces, which are so short that each becomes at most 8 MB (zlib makes up to 1,032 bytes of
one, zstd 32,768). What does not belong here: HTTP, landing frames, compressing.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import zstandard

# The maximum of a response, compressed or not; no page of records comes near it.
MAX_BYTES = 64 * 1024 * 1024
# The encodings that we accept, as a request header.
ACCEPTED_ENCODINGS = "gzip, deflate, zstd"
_MOST_ENCODINGS = 4
# RFC 9659: the maximum for HTTP responses. Our own landing frames need less.
_ZSTD_WINDOW = 8 << 20
_ZSTD_PIECE, _ZLIB_PIECE = 256, 8 << 10


class TooLarge(Exception):
    """The decompressed size exceeds the bound."""


class UnknownEncoding(Exception):
    """The encoding was not requested."""


class BrokenCompression(Exception):
    """The content does not match its encoding, or is incomplete."""


class _Unpacker(Protocol):
    """The common interface of zlib and zstandard decompressors."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def unpack(pieces: Iterable[bytes], content_encoding: str, most: int = MAX_BYTES) -> Iterator[bytes]:
    """Reverses `Content-Encoding` (of several words, the last was applied last) for a body that arrives in pieces.

    Raises TooLarge when the body is, before or after any step; UnknownEncoding; BrokenCompression.
    """
    words = [word.strip().lower() for word in content_encoding.split(",")]
    applied = [word for word in words if word not in {"", "identity"}]
    if len(applied) > _MOST_ENCODINGS or not set(applied) <= _STEPS.keys():
        raise UnknownEncoding
    body = _bounded(pieces, most)
    for word in reversed(applied):
        body = _bounded(_STEPS[word](body), most)
    return body


def unpack_frame(payload: bytes, most: int) -> bytes | None:
    """Decompresses exactly one zstd frame; None if it is not one, is incomplete, or exceeds `most` bytes."""
    unpacker, text = _zstd(), bytearray()
    try:
        for piece in _cut((payload,), _ZSTD_PIECE):
            if unpacker.eof:
                return None  # bytes after its end
            text += unpacker.decompress(piece)
            if len(text) > most:
                return None
    except zstandard.ZstdError:
        return None
    return bytes(text) if unpacker.eof and not unpacker.unused_data else None


def _bounded(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise TooLarge
        yield piece


def _unpacked(
    pieces: Iterable[bytes], piece_size: int, make: Callable[[bytes], _Unpacker], begins: Callable[[int], bool]
) -> Iterator[bytes]:
    """Decompresses pieces.

    `make` gets the first bytes; `begins` tests whether a byte after an end begins another part.
    """
    unpacker: _Unpacker | None = None
    for cut in _cut(pieces, piece_size):
        piece = cut
        while piece:
            if unpacker is not None and unpacker.eof:
                if not begins(piece[0]):
                    return  # padding, which clients ignore
                unpacker = None
            unpacker = unpacker or make(piece)
            try:
                yield unpacker.decompress(piece)
            except (zlib.error, zstandard.ZstdError):
                raise BrokenCompression from None
            piece = unpacker.unused_data if unpacker.eof else b""
    if unpacker is not None and not unpacker.eof:
        raise BrokenCompression


def _cut(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Splits the bytes into pieces of `size`; only the last is shorter."""
    buffered = b""
    for piece in pieces:
        buffered += piece
        complete_length = len(buffered) - len(buffered) % size
        yield from (buffered[at : at + size] for at in range(0, complete_length, size))
        buffered = buffered[complete_length:]
    if buffered:
        yield buffered


def _zstd(_begin: bytes = b"") -> _Unpacker:
    return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()


def _gzip(_begin: bytes) -> _Unpacker:
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


def _deflate(begin: bytes) -> _Unpacker:
    # The standard requires zlib's head; some servers omit it.
    has_head = begin[0] & 15 == zlib.DEFLATED and int.from_bytes(begin[:2]) % 31 == 0
    return zlib.decompressobj(zlib.MAX_WBITS if has_head else -zlib.MAX_WBITS)


def _undo_gzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    return _unpacked(pieces, _ZLIB_PIECE, _gzip, lambda byte: byte == 0x1F)


def _undo_deflate(pieces: Iterable[bytes]) -> Iterator[bytes]:
    return _unpacked(pieces, _ZLIB_PIECE, _deflate, lambda _: False)


def _undo_zstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    # A frame, or a skippable frame.
    return _unpacked(pieces, _ZSTD_PIECE, _zstd, lambda byte: byte == 0x28 or 0x50 <= byte <= 0x5F)


_STEPS: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    "gzip": _undo_gzip,
    "x-gzip": _undo_gzip,
    "deflate": _undo_deflate,
    "zstd": _undo_zstd,
}
