"""Group commit: stores all waiting deliveries in one transaction, and confirms them when it is durable.

A commit waits for the disk: a commit for each of 50 requests a second would queue, one for all of them does not. What
does not belong here: HTTP, and the transaction itself (`state`).
"""

import asyncio
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.state import Delivery, StateStore

# Feeds and the vendor's log of deliveries reach back 30 days; nothing reads older deliveries.
RETENTION = timedelta(days=35)
_MOST_WAITING = 500
_AT_ONCE = 100
_PURGE_SECONDS = 3600.0
# How long the inbox size is cached; what is added meanwhile is counted.
_SIZE_SECONDS = 5.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class _WaitingDelivery:
    """A delivery to store, and the future of the request that waits for it, with its event loop."""

    delivery: Delivery
    was_new: "asyncio.Future[bool]"
    loop: asyncio.AbstractEventLoop


class Overloaded(Exception):
    """More deliveries wait than can be stored in time."""


class InboxFull(PipelineError):
    """Too many unhandled deliveries: no more are accepted, and the vendor sends them again later."""

    exit_code = 75


class DeliveryWriter:
    """A thread that writes deliveries. A context manager: at its end, waiting deliveries are stored."""

    def __init__(self, store: StateStore, most_bytes: int | None = None) -> None:
        self._store, self._most_bytes = store, most_bytes
        self._size, self._size_until = 0, 0.0
        self._waiting: queue.Queue[_WaitingDelivery | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="webhook inbox", daemon=True)
        self._purge_at = 0.0

    def __enter__(self) -> "DeliveryWriter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._waiting.put(None, timeout=_STOP_SECONDS)
        except queue.Full:
            return
        self._thread.join(_STOP_SECONDS)

    async def write(self, delivery: Delivery) -> bool:
        """Waits until the delivery is durable; returns whether it was new. Raises Overloaded, or the store's error.

        A call that is cancelled before the transaction begins stores nothing.
        """
        loop = asyncio.get_running_loop()
        was_new: asyncio.Future[bool] = loop.create_future()
        try:
            self._waiting.put_nowait(_WaitingDelivery(delivery=delivery, was_new=was_new, loop=loop))
        except queue.Full:
            raise Overloaded from None
        return await was_new

    def _run(self) -> None:
        while True:
            batch, stopping = self._next_batch()
            if batch:
                self._store_batch(batch)
            if stopping:
                return
            if not batch and time.monotonic() >= self._purge_at:
                self._purge()

    def _next_batch(self) -> tuple[list[_WaitingDelivery], bool]:
        """Returns all waiting deliveries, after waiting up to a second for the first, and whether to stop."""
        batch: list[_WaitingDelivery] = []
        try:
            waiting = self._waiting.get(timeout=1)
            while waiting is not None:
                if not waiting.was_new.cancelled():
                    batch.append(waiting)
                if len(batch) == _AT_ONCE:
                    return batch, False
                waiting = self._waiting.get_nowait()
        except queue.Empty:
            return batch, False
        return batch, True

    def _store_batch(self, batch: list[_WaitingDelivery]) -> None:
        try:
            deliveries = [waiting.delivery for waiting in batch]
            self._require_room(deliveries)
            were_added = self._store.inbox.keep_deliveries(deliveries)
        except Exception as problem:  # the waiting requests must get any error, and the next batch may succeed
            for waiting in batch:
                _resolve(waiting, problem)
            return
        for waiting, is_new in zip(batch, were_added, strict=True):
            _resolve(waiting, is_new)

    def _require_room(self, new: Sequence[Delivery]) -> None:
        """Raises InboxFull if there is no room. The size is read again every few seconds."""
        if self._most_bytes is None:
            return
        if time.monotonic() >= self._size_until:
            self._size = self._store.inbox.size().waiting_bytes
            self._size_until = time.monotonic() + _SIZE_SECONDS
        if self._size >= self._most_bytes:
            raise InboxFull(
                f"The webhook inbox is full ({self._size / 1_000_000:,.1f} MB wait to be handled): start the daemon or "
                "run `fullscript-pipeline refresh`, or raise FULLSCRIPT_WEBHOOK_INBOX_MB; the vendor sends it again."
            )
        self._size += sum(len(delivery.body) for delivery in new)

    def _purge(self) -> None:
        try:
            more = self._store.inbox.purge(clock.real_now() - RETENTION)
        except Exception:
            more = 0  # the store is busy or full; storing a delivery reports that, and the purge can wait
        self._purge_at = time.monotonic() + (0 if more else _PURGE_SECONDS)


def _resolve(waiting: _WaitingDelivery, outcome: bool | Exception) -> None:
    def set_outcome() -> None:
        if waiting.was_new.done():
            return
        if isinstance(outcome, Exception):
            waiting.was_new.set_exception(outcome)
        else:
            waiting.was_new.set_result(outcome)

    try:
        waiting.loop.call_soon_threadsafe(set_outcome)
    except RuntimeError:
        return  # the loop has ended, so no request waits
