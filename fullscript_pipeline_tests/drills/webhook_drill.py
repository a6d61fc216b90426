"""Drills of the webhook receiver (promises 1, 3 to 5, 7 to 9): each takes its size and leaves its line.

The receiver is always a process of its own. What does not belong here: hostile bodies (`hostile_api_drill`).
"""

import asyncio
import hashlib
import itertools
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

from fullscript_pipeline.state import Delivery, StateStore
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.vendor_client import (
    ENCRYPTION_KEY,
    KEY,
    Process,
    Told,
    payload,
    post,
    raw,
    receiver_process,
    signed,
)
from fullscript_pipeline_tests.helpers.webhook_load import burst, long_run, steady
from fullscript_pipeline_tests.helpers.webhook_signatures import MALFORMED

T = TypeVar("T")
_AT_ONCE = 16


def stored_deliveries_in(data_dir: Path) -> list[Delivery]:
    """The inbox."""
    with StateStore(data_dir / "state.sqlite", ENCRYPTION_KEY) as store:
        return store.inbox.deliveries()


async def at_once(call: Callable[[T], Awaitable[Told]], items: Iterable[T]) -> list[Told]:
    """Answers, as they come; some calls are under way at any moment."""
    waiting, receipts = iter(items), []

    async def work() -> None:
        for item in waiting:
            receipts.append(await call(item))

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return receipts


def forgeries_are_refused(folder: Path, *, number: int, seed: int = 1) -> None:
    """Promise 1: malformed headers, and genuine deliveries with one byte of body, header or key changed."""
    rng, begun = random.Random(seed), time.monotonic()
    with receiver_process(folder) as running:

        async def forged(kind: int) -> Told:
            body = bytearray(payload(f"e-{kind}", size=400))
            header = signed(bytes(body))["Fullscript-Signature"].encode("latin-1")
            if kind % 4 == 0:
                header = rng.choice(list(MALFORMED.values())).encode()
            elif kind % 4 == 1:
                body[rng.randrange(len(body))] ^= rng.randint(1, 255)
            elif kind % 4 == 2:
                place = rng.randrange(len(header))
                header = header[:place] + bytes([header[place] ^ rng.randint(1, 255)]) + header[place + 1 :]
            else:
                wrong = KEY[:-1] + chr(ord(KEY[-1]) ^ rng.randint(1, 15))
                header = signed(bytes(body), wrong)["Fullscript-Signature"].encode()
            path = running.url.split("/", 3)[3]
            head = f"POST /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n".encode()
            return await raw(running.url, head + b"Fullscript-Signature: " + header + b"\r\n\r\n" + bytes(body))

        receipts = asyncio.run(at_once(forged, range(number)))
    accepted, errors = sum(receipt.accepted for receipt in receipts), sum(receipt.status >= 500 for receipt in receipts)
    silent = sum(receipt.status == 0 for receipt in receipts)
    stored = len(stored_deliveries_in(folder))
    report_promise("promise 1", sent=number, accepted=accepted, errors=errors, unanswered=silent, phantom=stored,
         seconds=time.monotonic() - begun)  # fmt: skip
    assert (accepted, errors, silent, stored) == (0, 0, 0, 0)


def a_key_roll_loses_nothing(folder: Path, *, number: int) -> None:
    """Promise 3: both keys are set, and the sender changes from one to the other somewhere."""
    keys, begun = ("the old key", "the new key"), time.monotonic()
    with receiver_process(folder, FULLSCRIPT_US_SND_WEBHOOK_SIGNATURE_KEYS=",".join(keys)) as running:

        async def one(which: int) -> Told:
            body = payload(f"e-{which}")
            return await post(running.url, body, signed(body, keys[which > number / 2]))

        receipts = asyncio.run(at_once(one, range(number)))
    acked, stored = sum(one.accepted for one in receipts), len(stored_deliveries_in(folder))
    report_promise("promise 3", acked=acked, stored=stored, refused=number - acked, lost=acked - stored,
         seconds=time.monotonic() - begun)  # fmt: skip
    assert acked == stored == number


def acknowledged_is_durable(folder: Path, *, kills: int, acks: int, seed: int = 1) -> None:
    """Promise 4: the receiver dies at random under load; every id it acknowledged is in the inbox."""
    rng, begun = random.Random(seed), time.monotonic()
    senders, killed = _Senders(), 0
    while killed < kills or len(senders.acked) < acks:
        with receiver_process(folder) as running:
            asyncio.run(senders.until_killed(running, rng.uniform(0.1, 1.9) * acks / kills / 400))
        killed += 1
    rows = [delivery.event_id for delivery in stored_deliveries_in(folder)]
    lost, phantom, double = senders.acked - set(rows), set(rows) - senders.sent, len(rows) - len(set(rows))
    report_promise("promise 4", acked=len(senders.acked), stored=len(rows), lost=len(lost), duplicated=double,
         phantom=len(phantom), kills=killed, seconds=time.monotonic() - begun)  # fmt: skip
    assert not lost
    assert not phantom
    assert not double


class _Senders:
    """Several at once, each sending the next event as soon as the last was answered."""

    def __init__(self) -> None:
        self.acked: set[str] = set()
        self.sent: set[str] = set()

    async def until_killed(self, running: Process, seconds: float) -> None:
        async def kill() -> None:
            await asyncio.sleep(seconds)
            running.process.send_signal(signal.SIGKILL)

        await asyncio.gather(kill(), *(self._send(running) for _ in range(_AT_ONCE)))

    async def _send(self, running: Process) -> None:
        while running.process.poll() is None:
            event_id = f"e-{len(self.sent)}"
            self.sent.add(event_id)
            body = payload(event_id)
            if (await post(running.url, body, signed(body), timeout=5)).accepted:
                self.acked.add(event_id)


def the_deadline_holds(folder: Path, *, seconds: float, rate: float = 50, size: int = 200) -> None:
    """Promise 5: a long run holds the warehouse and a core; overload is an early 503."""
    with receiver_process(folder) as running:
        asyncio.run(burst(running.url, 20, "warm"))
        with long_run(folder):
            figures = {
                "steady": asyncio.run(steady(running.url, rate, seconds)),
                "burst": asyncio.run(burst(running.url, size)),
                "overload": asyncio.run(steady(running.url, 1500, 2, "overload")),
            }
    stored = {delivery.event_id for delivery in stored_deliveries_in(folder)}
    # The generator has queues of its own under overload; the receiver's log counts from the arrival of the bytes.
    lines = [line.split() for line in (folder / "receiver.log").read_text().splitlines()]
    late = sum(line[2] == "200" and float(line[3]) > 1500 for line in lines)
    report_promise("promise 5", late_200=late, early_503=sum(line[2] == "503" for line in lines))
    assert not late
    for name, measured in figures.items():
        report_promise(
            f"promise 5 {name}", acked=len(measured.acked), lost=len(measured.acked - stored), **measured.words(),
            slowest_200=round(measured.slowest_accepted * 1000, 1),
        )  # fmt: skip
        assert measured.acked <= stored
    for name in ("steady", "burst"):
        assert figures[name].milliseconds(0.99) <= 300
        assert figures[name].milliseconds(1) <= 1500
        assert figures[name].refused == 0


def duplicates_and_order_do_not_matter(folder: Path, *, events: int, histories: int, seed: int = 1) -> None:
    """Promise 7, the inbox's part: the same content whatever came how often, in which order."""
    rng, begun, sent = random.Random(seed), time.monotonic(), 0
    with receiver_process(folder) as running:

        async def genuine(body: bytes) -> Told:
            return await post(running.url, body, signed(body))

        def send(bodies: list[bytes]) -> None:
            assert all(one.accepted for one in asyncio.run(at_once(genuine, bodies)))

        bodies = [payload(f"e-{number}") for number in range(events)]
        many = [body for body in bodies for _ in range(rng.randint(1, 6))]
        many += rng.sample(many, k=int(0.3 * len(many)))
        rng.shuffle(many)
        send(many)
        for history in range(histories):
            for turn, order in enumerate(itertools.permutations(range(5))):
                send([payload(f"h{history}-{turn}-{one}", size=0, about=one) for one in order])
        sent = len(many) + histories * 120 * 5
    rows = stored_deliveries_in(folder)
    assert {row.event_id: row.body for row in rows if row.event_id.startswith("e-")} == {
        f"e-{number}": body for number, body in enumerate(bodies)
    }
    hashes = {_content(rows, f"h{history}-{turn}-") for history in range(histories) for turn in range(120)}
    receipts = sum(row.receipts for row in rows)
    report_promise("promise 7 (inbox)", sent=sent, stored=len(rows), receipts=receipts, hashes=len(hashes),
         duplicated=len(rows) - len({row.event_id for row in rows}), seconds=time.monotonic() - begun)  # fmt: skip
    assert receipts == sent
    assert len(hashes) == 1


def _content(rows: list[Delivery], prefix: str) -> str:
    mine = sorted(row.body.replace(prefix.encode(), b"") for row in rows if row.event_id.startswith(prefix))
    return hashlib.sha256(b"\n".join(mine)).hexdigest()
