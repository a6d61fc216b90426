"""Who is closed when too many connections say nothing, and that the vendor's is answered meanwhile."""

import asyncio
import resource
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fullscript_pipeline.webhooks import idle_connections
from fullscript_pipeline.webhooks.admission import ALL_BODIES, Admission, Full
from fullscript_pipeline.webhooks.idle_connections import IdleConnections
from fullscript_pipeline_tests.helpers.vendor_client import Told, deliver, payload, receiver_process

HALF_OPEN = 1000


class Someone:
    """A connection, or a request, that notes what is done to it."""

    def __init__(self, *, age: float = 0.0, complete: bool = False) -> None:
        self.age, self.complete, self.is_ended = age, complete, False

    def close_idle(self) -> None:
        self.is_ended = True

    give_up = close_idle


def test_of_one_address_the_oldest_is_closed_once_a_burst_would_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_connections, "MAX_PER_ADDRESS", 3)
    now = [0.0]
    idle = IdleConnections(10, lambda: now[0])
    first, *others = [Someone() for _ in range(5)]
    elsewhere = Someone()
    idle.add(elsewhere, "192.0.2.9")
    for one in (first, *others):
        idle.add(one, "192.0.2.1")
    assert not any(one.is_ended for one in (first, *others)), "a burst: their requests may lie unread"
    now[0] = 2.0
    latest = Someone()
    idle.add(latest, "192.0.2.1")
    assert [one.is_ended for one in (first, *others, latest, elsewhere)] == [True] + [False] * 6
    idle.remove(others[0])
    idle.add(first, "192.0.2.1")
    assert not others[0].is_ended, "its request has come"
    assert others[1].is_ended


def test_of_all_the_oldest_is_closed_at_once() -> None:
    idle = IdleConnections(3, lambda: 0.0)
    known = [Someone() for _ in range(5)]
    for number, one in enumerate(known):
        idle.add(one, f"192.0.2.{number}")
    assert [one.is_ended for one in known] == [True, True, False, False, False]
    assert len(idle) == 3
    for one in known:
        idle.remove(one)
    assert len(idle) == len(idle._by_address) == 0


def test_slow_requests_make_room_and_complete_ones_do_not() -> None:
    admission = Admission(3)
    whole, quick, slow, latest = Someone(complete=True, age=9), Someone(age=0.1), Someone(age=0.5), Someone()
    with admission.admitted(whole), admission.admitted(quick):
        with admission.admitted(slow), pytest.raises(Full), admission.admitted(latest):
            raise AssertionError("the oldest that is not whole came a moment ago")
        quick.age = 0.6
        with admission.admitted(slow), admission.admitted(latest):
            assert (whole.is_ended, quick.is_ended, slow.is_ended) == (False, True, False)
            assert admission.complete_count() == 1


def test_the_largest_body_makes_room_for_a_small_one() -> None:
    admission = Admission(10)
    large, larger, small = Someone(), Someone(), Someone()
    with admission.admitted(large), admission.admitted(larger), admission.admitted(small):
        admission.set_size(large, ALL_BODIES // 3)
        admission.set_size(larger, ALL_BODIES // 3 * 2)
        admission.set_size(small, 2000)
        assert (large.is_ended, larger.is_ended) == (False, True)
        admission.set_size(larger, ALL_BODIES)  # a piece that was on its way
        with pytest.raises(Full):
            admission.set_size(large, ALL_BODIES)
    assert admission._bytes == 0


def test_large_bodies_that_are_announced_take_no_room_from_small_ones() -> None:
    admission = Admission(10)
    first, second, third, small = (Someone() for _ in range(4))
    half = ALL_BODIES // 2
    with admission.admitted(first, half), admission.admitted(second, half):
        with pytest.raises(Full), admission.admitted(third, half):
            raise AssertionError("those before it are not slow")
        with admission.admitted(small, 2000):
            admission.set_size(first, half)
            admission.set_size(small, 2000)
        first.age = 0.5
        with admission.admitted(third, half):
            assert (first.is_ended, second.is_ended) == (True, False)
    assert (admission._bytes, admission._reserved) == (0, {})


@pytest.mark.check_all
@pytest.mark.timeout(180)
@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2 * HALF_OPEN, reason="too few open files")
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /hooks HTTP/1.1\r\nHost: x\r\n",
        b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n{",
        b"POST /hooks HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n{",
    ],
    ids=["nothing", "half a head", "one request, then nothing", "half a body", "half a body elsewhere"],
)
def test_the_vendor_is_answered_while_a_thousand_hang(tmp_path: Path, sent: bytes) -> None:
    """0 of 100 were before there was a bound for them apart from those that work."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * HALF_OPEN)), hard))
    try:
        with receiver_process(tmp_path / "data") as running:
            told = asyncio.run(_while_they_hang(running.url, sent))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [one.status for one in told if not one.accepted] == []


async def _delivered(url: str, body: bytes) -> Told:
    """A busy machine may be late for one, which is a 503; the vendor comes again, and so soon nobody has let go yet."""
    for _ in range(4):
        if (told := await deliver(url, body)).accepted:
            break
        await asyncio.sleep(0.2)
    return told


async def _while_they_hang(url: str, sent: bytes) -> list[Told]:
    parts = urlsplit(url)
    hanging = []
    for _ in range(HALF_OPEN):
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(sent % parts.path.encode() if b"%b" in sent else sent)
        hanging.append(writer)
    told = [await _delivered(url, payload(f"e-{number}")) for number in range(20)]
    for writer in hanging:
        writer.close()
    return told
