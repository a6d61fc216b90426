"""A receiver in a thread of the test, with what it kept and logged.

What does not belong here: the vendor (`vendor`).
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fullscript_pipeline.state import Delivery, StateStore
from fullscript_pipeline.webhooks import WebhookEndpoint, serving
from fullscript_pipeline_tests.helpers.vendor_client import CHALLENGE, KEY, Told, deliver, post, raw

SECRET = "s3cr3t"


@dataclass
class Receiver:
    """One that runs, with what it kept and logged."""

    base_url: str
    store: StateStore
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.base_url}/hooks/{SECRET}/us-snd"

    def stored_deliveries(self) -> list[Delivery]:
        return self.store.inbox.deliveries()

    def post(self, body: bytes, headers: dict[str, str] | None = None, path: str = "") -> Told:
        return asyncio.run(post(f"{self.base_url}{path}" if path else self.url, body, headers))

    def deliver(self, *bodies: bytes) -> list[Told]:
        async def all_of_them() -> list[Told]:
            return await asyncio.gather(*(deliver(self.url, body) for body in bodies))

        return asyncio.run(all_of_them())

    def raw(self, *sent: bytes) -> list[Told]:
        async def all_of_them() -> list[Told]:
            return await asyncio.gather(*(raw(self.url, one) for one in sent))

        return asyncio.run(all_of_them())


@contextmanager
def receiving(
    folder: Path,
    keys: Sequence[str] = (KEY,),
    log: Callable[[str], None] | None = None,
    inbox_bytes: int | None = None,
) -> Iterator[Receiver]:
    endpoints = [
        WebhookEndpoint(
            server=server,
            path=f"/hooks/{SECRET}/{server}",
            challenge=CHALLENGE,
            keys=tuple(key.encode() for key in keys),
        )
        for server in ("us-snd", "ca-snd")
    ]
    with ExitStack() as running:
        lines: list[str] = []
        store = running.enter_context(StateStore(folder / "state.sqlite", "a key"))
        yield Receiver(running.enter_context(serving(endpoints, store, log or lines.append, inbox_bytes)), store, lines)


def head(receiver: Receiver, *lines: str, method: str = "POST") -> bytes:
    """A request's head as it goes over the wire."""
    path = receiver.url.removeprefix(receiver.base_url)
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *lines, "", ""]).encode()
