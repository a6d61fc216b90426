"""What a stranger may send to the webhook receiver (promises 8 and 9): nonsense, and bodies without an end.

What does not belong here: what a vendor sends (`webhook_drill`).
"""

import asyncio
import gzip
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.drills.webhook_drill import at_once, stored_deliveries_in
from fullscript_pipeline_tests.helpers.vendor_client import Process, Told, payload, post, raw, receiver_process, signed

_METHODS = ("POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "BREW", "post", "")
_HEADERS = (
    "Content-Length: 5", "Content-Length: 99999999999", "Content-Length: -1", "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked", "Content-Encoding: gzip", "Expect: 100-continue", "Upgrade: websocket",
    "Connection: Upgrade", "Upgrade: h2c", "Host: other", "Fullscript-Signature: t=1,v1=2", "X: " + "y" * 40_000,
    "Content-Type: application/x-www-form-urlencoded", "Cookie: a=b", "Range: bytes=0-1", "If-None-Match: *",
    "X-Forwarded-Proto: http", "X-Original-URL: /", ": nameless", "no colon", "Sec-WebSocket-Key: x",
)  # fmt: skip
_BODIES = (b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"{}", b"\x00" * 100, b"\x1f\x8b\x08" + b"a" * 50)


def the_endpoint_never_disables_itself(folder: Path, *, number: int, seed: int = 1) -> None:
    """Promise 8: never 410, never a redirect."""
    rng, begun = random.Random(seed), time.monotonic()
    with receiver_process(folder) as running:
        path = urlsplit(running.url).path
        requests = [_nonsense(rng, path) for _ in range(number)]
        receipts = asyncio.run(at_once(lambda sent: raw(running.url, sent, 1), requests))
        assert asyncio.run(post(running.url, b"")).accepted, "it still answers"
    statuses = Counter(receipt.status for receipt in receipts)
    redirects = sum(count for status, count in statuses.items() if 300 <= status < 400)
    errors = sum(count for status, count in statuses.items() if status >= 500)
    counted = ",".join(f"{status}:{count}" for status, count in sorted(statuses.items()))
    report_promise("promise 8", sent=number, redirects=redirects, gone=statuses[410], errors=errors, statuses=counted,
         phantom=len(stored_deliveries_in(folder)), seconds=time.monotonic() - begun)  # fmt: skip
    assert not redirects
    assert not statuses[410]
    assert not errors
    assert not stored_deliveries_in(folder)


def _nonsense(rng: random.Random, path: str) -> bytes:
    if rng.random() < 0.1:
        return rng.randbytes(rng.randint(1, 200)) + b"\r\n\r\n"
    target = rng.choice(
        [path, path, path, f"{path}/", f"/{path}", path.rpartition("/")[0], "/", "*", "http://x/", path + "?a"]
    )
    version = rng.choice(["1.1", "1.1", "1.1", "1.0", "2.0"])
    headers = rng.sample(_HEADERS, rng.randint(0, 4))
    head = "\r\n".join([f"{rng.choice(_METHODS)} {target} HTTP/{version}", "Host: x", "Connection: close", *headers])
    sent = bytearray(head.encode() + b"\r\n\r\n" + rng.choice(_BODIES))
    if rng.random() < 0.3:
        sent[rng.randrange(len(sent))] = rng.randrange(256)
    return bytes(sent)


def hostile_bodies_are_bounded(folder: Path, *, megabytes: int) -> None:
    """Promise 9: whatever the size, shape or speed, a 4xx (503 when too much comes at once) and little memory."""
    begun = time.monotonic()
    with receiver_process(folder) as running:
        for _ in range(300):
            asyncio.run(post(running.url, b""))  # what it needs anyway is not growth
        with _watched(running.process.pid) as memory:
            statuses = {
                "chunked": {_endless(running, megabytes) for _ in range(2)},
                "bodies": asyncio.run(_bodies(running)),
                "flood": asyncio.run(_flood(running)),
                "drip": asyncio.run(_drip(running)),
            }
        assert asyncio.run(post(running.url, b"")).accepted, "it still answers"
    counted = " ".join(f"{kind}={'/'.join(map(str, sorted(codes)))}" for kind, codes in statuses.items())
    report_promise(
        "promise 9", rss_growth_mb=memory.growth, statuses=counted, phantom=0, seconds=time.monotonic() - begun
    )
    assert memory.growth <= 50
    assert all(400 <= status < 500 for kind in ("chunked", "bodies", "drip") for status in statuses[kind])
    assert statuses["flood"] <= {200, 413, 503}


@dataclass
class _Memory:
    """RSS in megabytes; `growth` is its peak over what it was."""

    before: float
    peak: float

    @property
    def growth(self) -> float:
        return self.peak - self.before


@contextmanager
def _watched(pid: int) -> Iterator[_Memory]:
    process, over = psutil.Process(pid), threading.Event()
    now = process.memory_info().rss / 1e6
    memory = _Memory(now, now)

    def watch() -> None:
        while not over.wait(0.01):
            memory.peak = max(memory.peak, process.memory_info().rss / 1e6)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


def _head(running: Process, *lines: str) -> bytes:
    path = urlsplit(running.url).path
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", "Connection: close", *lines, "", ""]).encode()


def _endless(running: Process, megabytes: int) -> int:
    """A chunked body of so many megabytes, sent as far as the other side takes it; the status.

    A plain socket: an event loop that meets the reset while it writes forgets the answer that came before it.
    """
    chunk = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(running.url).port), timeout=30) as connection:
        connection.sendall(_head(running, "Transfer-Encoding: chunked"))
        with suppress(OSError):
            for _ in range(megabytes):
                connection.sendall(chunk)
        return int(connection.recv(100).split()[1])


async def _bodies(running: Process) -> set[int]:
    deep = b'{"event":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    bomb = gzip.compress(b"0" * 200_000_000)
    bodies = [
        deep,
        b'{"a":' * 100_000,
        b'{"id": "\x00"}',
        b'{"id": "\\ud800"}',
        b'{"id": "\xed\xa0\x80"}',
        b"[" * 900_000,
    ]
    receipts = [await post(running.url, body, signed(body)) for body in bodies]
    receipts += [await post(running.url, body) for body in bodies]
    receipts.append(await post(running.url, bomb, signed(bomb) | {"Content-Encoding": "gzip"}))
    receipts.append(await post(running.url, bomb, signed(bomb)))
    receipts += [
        await raw(running.url, _head(running, f"Content-Length: {length}")) for length in (2_000_000, 10**14, "9" * 40)
    ]
    return {receipt.status for receipt in receipts}


async def _flood(running: Process) -> set[int]:
    """A hundred genuine bodies of nearly the largest size at once, and two hundred forged ones."""
    genuine = [payload(f"large-{number}", size=1_000_000) for number in range(20)]
    receipts: list[Told] = await asyncio.gather(
        *(post(running.url, body, signed(body)) for body in genuine * 5),
        *(post(running.url, b"x" * (1 << 20), {"Fullscript-Signature": "t=1,v1=2"}) for _ in range(200)),
    )
    return {receipt.status for receipt in receipts if receipt.status not in {0, 403}}


async def _drip(running: Process) -> set[int]:
    """Bodies and heads that come byte by byte, three hundred at once."""

    async def slowly(start: bytes) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(running.url).port)
        writer.write(start)
        waiting = asyncio.create_task(reader.read(100))
        for _ in range(200):
            await asyncio.wait([waiting], timeout=0.1)
            if waiting.done():
                break
            writer.write(b"a")
        answer = await waiting
        writer.close()
        return int(answer.split()[1])

    body, head = _head(running, "Content-Length: 1000"), _head(running)[:-2] + b"X: "
    return set(await asyncio.gather(*(slowly(start) for start in [body] * 250 + [head] * 50)))
