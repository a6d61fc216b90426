"""Whatever comes compressed is unpacked as it was, or refused before it takes more than the bound."""

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline import decompression
from fullscript_pipeline.decompression import BrokenCompression, TooLarge, UnknownEncoding, unpack, unpack_frame
from fullscript_pipeline.sandbox.malformed_responses import bomb

MEGABYTE = 1 << 20


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def zstd_in_parts(body: bytes) -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, list[Callable[[bytes], bytes]]] = {
    "gzip": [gzip.compress, lambda body: gzip.compress(body[:5]) + gzip.compress(body[5:])],
    "x-gzip": [gzip.compress, lambda body: gzip.compress(body) + bytes(9)],
    "deflate": [zlib.compress, raw_deflate],
    "zstd": [zstandard.compress, zstd_in_parts, lambda body: zstd_in_parts(body[:5]) + zstandard.compress(body[5:])],
    "identity": [bytes],
    "": [bytes],
}


def packed(body: bytes, words: list[str], chance: random.Random) -> bytes:
    for word in words:
        body = chance.choice(PACKERS[word])(body)
    return body


@given(
    body=st.binary(max_size=3000),
    words=st.lists(st.sampled_from(sorted(PACKERS)), max_size=4),
    pieces=st.integers(1, 700),
    seed=st.integers(0, 99),
)
def test_what_was_compressed_in_any_way_is_restored_as_it_was(
    body: bytes, words: list[str], pieces: int, seed: int
) -> None:
    chance = random.Random(seed)
    came = packed(body, words, chance)
    parts = [came[at : at + pieces] for at in range(0, len(came), pieces)]
    assert b"".join(unpack(parts, chance.choice([", ", ","]).join(words).upper())) == body


@pytest.mark.parametrize("encodings", [("gzip",), ("deflate",), ("zstd",), ("gzip", "gzip"), ("zstd", "gzip", "zstd")])
def test_a_bomb_is_refused_at_the_bound(encodings: tuple[str, ...]) -> None:
    """httpx made 3.1 GB of 96 kB of zstd before it could be measured."""
    came, most = bomb(encodings), 4 * MEGABYTE
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            for _ in unpack([came], ", ".join(encodings), most):
                pass
        assert tracemalloc.get_traced_memory()[1] < len(came) + 40 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_a_step_in_between_is_bounded_too() -> None:
    """What comes out at the end may be small, and what it is made of not."""
    inner = gzip.compress(b"x") + gzip.compress(b"") * (MEGABYTE // 20)
    with pytest.raises(TooLarge):
        list(unpack([zstandard.compress(inner)], "gzip, zstd", MEGABYTE // 2))


def test_one_window_of_zstd_takes_no_more_than_http_allows() -> None:
    large = zstandard.ZstdCompressionParameters(window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=large).compressobj()
    with pytest.raises(BrokenCompression):
        list(unpack([packer.compress(b"x" * 100) + packer.flush()], "zstd"))


@pytest.mark.parametrize("words", ["br", "compress", "gzip, br", "gzip;q=1", ", ".join(["gzip"] * 5), "gz\x00ip"])
def test_an_encoding_that_was_not_requested_is_not_guessed(words: str) -> None:
    with pytest.raises(UnknownEncoding):
        list(unpack([b"whatever"], words))


@pytest.mark.parametrize("word", ["gzip", "deflate", "zstd"])
def test_a_torn_or_damaged_body_is_broken_and_an_empty_one_is_empty(word: str) -> None:
    whole = PACKERS[word][0](b"a page of records" * 99)
    for came in (whole[:-1], whole[: len(whole) // 2], b"\xff\xff\xff\xff" + whole):
        with pytest.raises(BrokenCompression):
            list(unpack([came], word))
    assert b"".join(unpack([], word)) == b""


def test_a_frame_is_single_and_complete_and_bounded() -> None:
    text = b"a line\n" * 10_000
    whole = zstandard.ZstdCompressor(write_checksum=True).compress(text)
    assert unpack_frame(whole, len(text)) == text
    assert unpack_frame(zstandard.compress(b""), 10) == b""
    for payload in (whole[:-1], whole + b"x", whole + whole, b"", b"no frame"):
        assert unpack_frame(payload, 2 * len(text)) is None
    assert unpack_frame(whole, len(text) - 1) is None
    assert unpack_frame(bomb(("zstd",), 1), decompression.MAX_BYTES) == b" " * MEGABYTE
