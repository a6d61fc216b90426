"""A landing file survives crashes, opens with its key and in its place only, and says where it is damaged."""

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.warehouse.files import frame_format
from fullscript_pipeline.warehouse.files.frame_file import FrameFile, LandingDamage
from fullscript_pipeline.warehouse.landing import Envelope, Request, make_line

ENVELOPE = Envelope(
    clinic_id="c1", region="us", fetched_at="2026-11-01T00:00:00+00:00", request_id="req-1", parent_id="p1"
)
PAGES = 4


def filled(path: Path, pages: int, key: str | None = None) -> FrameFile:
    file = FrameFile(path, key)
    for page in range(1, pages + 1):
        lines = [make_line({"id": f"{page}-{i}", "note": 'a "record": inside\n'}) for i in range(3)]
        file.append(
            Request(
                endpoint="orders",
                key="k",
                page=page,
                records=len(lines),
                is_last=page == pages,
                total_count=3 * pages,
                envelope=ENVELOPE,
            ),
            lines,
        )
    return file


@pytest.mark.parametrize("key", [None, "a key"])
def test_what_is_appended_is_read_back_in_order(tmp_path: Path, key: str | None) -> None:
    file = filled(tmp_path / "f", 3, key)
    assert [line.id for line in file.lines("orders")] == [f"{page}-{i}" for page in (1, 2, 3) for i in range(3)]
    assert [request.is_last for request in file.requests()] == [False, False, True]
    assert {line.parent_id for line in file.lines("orders")} == {"p1"} == {r.parent_id for r in file.requests()}


def test_an_encrypted_file_shows_nothing_and_needs_its_key(tmp_path: Path) -> None:
    file = FrameFile(tmp_path / "f", "right")
    file.append(Request(endpoint="patients", key="k"), [make_line({"id": "1", "last_name": "Canary"})])
    assert b"Canary" not in file.path.read_bytes()
    for key in ("wrong", None):
        with pytest.raises(ConfigurationError, match="FULLSCRIPT_ENCRYPTION_KEY"):
            FrameFile(file.path, key).requests()


def test_a_file_cut_anywhere_keeps_its_complete_frames_and_takes_new_ones(tmp_path: Path) -> None:
    growing, edges = FrameFile(tmp_path / "whole"), []
    for page in (1, 2, 3):
        growing.append(Request(endpoint="orders", key="k", page=page), [make_line({"id": str(page)})])
        edges.append(growing.path.stat().st_size)
    whole = growing.path.read_bytes()
    for size in range(0, len(whole), 7):
        path = tmp_path / "cut"
        path.write_bytes(whole[:size])
        file = FrameFile(path)
        file.cut_torn_end()
        kept = len(file.requests())
        assert kept == sum(size >= edge for edge in edges)
        file.append(Request(endpoint="orders", key="k", page=9), [])
        assert [request.page for request in file.requests()][-1] == 9


def old_frames(path: Path, pages: int, key: str | None) -> None:
    """A file as versions before 2026-11-28 wrote it."""
    cipher = AESGCM(frame_format._derived(key, "landing", 32)) if key else None
    for page in range(1, pages + 1):
        text = b"\n".join(
            (orjson.dumps({"frame": Request(endpoint="orders", key="k", page=page)}), make_line({"id": str(page)}))
        )
        payload = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(text)
        header = frame_format._OLD_HEADER.pack(b"FSL1", bool(key), len(payload) + (28 if key else 0))
        nonce = bytes(12)
        sealed = nonce + cipher.encrypt(nonce, payload, header) if cipher else payload
        path.write_bytes((path.read_bytes() if path.exists() else b"") + header + sealed)


def new_frames(path: Path, pages: int, key: str | None) -> None:
    filled(path.with_suffix(".open"), pages, key).finish()


def read(path: Path, key: str | None) -> tuple[list[tuple[int, list[bytes]]], LandingDamage | None]:
    """What can be read, and the damage that is told then."""
    seen: list[tuple[int, list[bytes]]] = []
    try:
        for request, lines in FrameFile(path, key).frames():
            seen.append((request.page, lines))
    except LandingDamage as damage:
        return seen, damage
    return seen, None


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("place", range(9))
def test_a_bit_of_an_earlier_version_s_header_hides_its_own_frame_only(tmp_path: Path, place: int, bit: int) -> None:
    """A length that became larger used to swallow the frames behind it."""
    path = tmp_path / "orders.1.frames"
    old_frames(path, PAGES, None)
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)
    seen, damage = read(path, None)
    assert damage is not None
    assert [page for page, _ in seen] == [2, 3, 4]


def test_a_frame_that_unpacks_to_gigabytes_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "orders.1.frames"
    new_frames(path, 1, None)
    bombs = FrameFile(path)
    bomb = zstandard.compress(bytes(frame_format.MAX_TEXT_BYTES + 1))
    bombs._write(bombs._format.seal(bomb, 2))
    seen, damage = read(path, None)
    assert [page for page, _ in seen] == [1]
    assert damage is not None


@pytest.mark.parametrize("key", [None, "a key"])
@pytest.mark.parametrize("write", [old_frames, new_frames])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_reported_and_hides_one_frame_at_most(
    tmp_path: Path, write: Callable[[Path, int, str | None], None], key: str | None, place: float, bit: int
) -> None:
    path = tmp_path / "day" / "orders.1.frames"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    write(path, PAGES, key)
    whole, _ = read(path, key)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    seen, damage = read(path, key)
    # zstd has bits that nobody reads: a frame that says the same is not damaged. The closing frame may be the one hit.
    assert seen == whole if damage is None else str(path) in str(damage) and "at byte" in str(damage)
    assert len(seen) >= PAGES - 1
    assert [frame for frame in whole if frame in seen] == seen


@pytest.mark.parametrize("key", [None, "a key"])
def test_a_finished_file_that_is_cut_anywhere_is_damaged(tmp_path: Path, key: str | None) -> None:
    path = tmp_path / "orders.1.frames"
    new_frames(path, PAGES, key)
    whole = path.read_bytes()
    assert [request.page for request in FrameFile(path, key).requests()] == [1, 2, 3, 4]
    for size in range(0, len(whole), 5):
        path.write_bytes(whole[:size])
        with pytest.raises(LandingDamage):
            FrameFile(path, key).requests()


def test_frames_that_were_taken_out_swapped_or_added_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "orders.1.open"
    file, edges = FrameFile(path), [0]
    for page in (1, 2, 3):
        file.append(Request(endpoint="orders", key="k", page=page), [make_line({"id": str(page)})])
        edges.append(path.stat().st_size)
    first, second, third = (path.read_bytes()[a:b] for a, b in itertools.pairwise(edges))
    for content in (first + third, second + first + third, first + second + second + third):
        path.write_bytes(content)
        with pytest.raises(LandingDamage):
            FrameFile(path).requests()
    path.write_bytes(first + second + third)
    assert len(FrameFile(path).requests()) == 3


def test_a_frame_opens_in_its_own_file_only(tmp_path: Path) -> None:
    """Whoever may write to the folder cannot pass one clinic's page off as another's."""
    mine, other = (tmp_path / clinic / "2026-11-01" / "orders.1.open" for clinic in ("mine", "other"))
    filled(mine, 1, "a key")
    other.parent.mkdir(parents=True)
    other.write_bytes(mine.read_bytes())
    with pytest.raises(LandingDamage):
        file = FrameFile(other, "a key")
        file.append(Request(endpoint="orders", key="k", page=2), [])
        file.requests()


def test_the_end_of_an_open_file_may_be_torn_but_what_this_process_wrote_may_not(tmp_path: Path) -> None:
    path = tmp_path / "orders.1.open"
    file = filled(path, 3)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert [request.page for request in FrameFile(path).requests()] == [1, 2]
    with pytest.raises(LandingDamage):
        file.requests()
    path.unlink()
    with pytest.raises(LandingDamage):
        file.requests()


def test_damage_never_blames_the_key(tmp_path: Path) -> None:
    path = tmp_path / "orders.1.frames"
    new_frames(path, 1, "a key")
    whole = path.read_bytes()
    for place in random.Random(1).sample(range(len(whole)), 60):
        content = bytearray(whole)
        content[place] ^= 0x10
        path.write_bytes(content)
        with pytest.raises(LandingDamage):
            FrameFile(path, "a key").requests()
    path.write_bytes(whole)
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_ENCRYPTION_KEY"):
        FrameFile(path, "another key").requests()


@pytest.mark.parametrize("make", [new_frames, old_frames])
def test_a_plain_page_is_refused_where_a_key_is_set(tmp_path: Path, make: Callable[..., None]) -> None:
    """Whole files, and one page put between those that are sealed."""
    path, plain = tmp_path / "orders.1.frames", tmp_path / "plain" / "orders.1.frames"
    plain.parent.mkdir()
    make(plain, 1, None)
    make(path, 1, "a key")
    sealed = path.read_bytes()
    for content in (plain.read_bytes(), sealed + plain.read_bytes(), plain.read_bytes() + sealed):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"not encrypted, although FULLSCRIPT_ENCRYPTION_KEY is set"):
            FrameFile(path, "a key").requests()


@pytest.mark.parametrize("key", [None, "a key"])
def test_a_file_that_an_earlier_version_left_open_is_gone_on_with(tmp_path: Path, key: str | None) -> None:
    path = tmp_path / "orders.1.open"
    old_frames(path, 2, key)
    file = FrameFile(path, key)
    file.cut_torn_end()
    file.append(Request(endpoint="orders", key="k", page=3), [])
    file.finish()
    assert [request.page for request in FrameFile(file.path, key).requests()] == [1, 2, 3]


@pytest.mark.parametrize("key", ["another key", None])
def test_an_earlier_version_s_file_needs_its_key_too(tmp_path: Path, key: str | None) -> None:
    old_frames(tmp_path / "orders.1.frames", 2, "a key")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_ENCRYPTION_KEY"):
        FrameFile(tmp_path / "orders.1.frames", key).requests()
