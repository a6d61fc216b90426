"""Delivers events to the apps' webhook endpoints by the vendor's rules, on the world's clock.

Each attempt is an empty probe, answered with the challenge token, then the signed payload, answered the same way, both
within two seconds of real time. Signatures carry real time, because receivers compare with theirs. What does not belong
here: what is remembered (`webhook_registry`) and what events hold (`world`).
"""

import asyncio
import hashlib
import hmac
import time
from bisect import insort
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import httpx
import orjson

from fullscript_pipeline.sandbox.behaviour_switches import ResponseVariants
from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.response_variants import reshape_answer, unnest_event
from fullscript_pipeline.sandbox.responses.events import scope_of
from fullscript_pipeline.sandbox.seeded_random import rng_for, utc_text
from fullscript_pipeline.sandbox.store import State
from fullscript_pipeline.sandbox.webhook_registry import Attempt, Hook, HookBook
from fullscript_pipeline.sandbox.world import EVENT_DAYS, Event, Record, SandboxClinic, World

# Minutes after each failed attempt (vendor: "Missed and repeated webhooks"); six attempts in all.
BACK_OFF = (1, 5, 30, 60, 300)
FAILING_HOURS = 24
GONE = 410
MOST_ANSWER_CHARACTERS = 500


class WebhookAnswer(NamedTuple):
    """The answer of an endpoint to an attempt; `status` is None when there was none in time."""

    accepted: bool
    status: int | None
    body: str


class Sender:
    """The sender of one sandbox. Call `run` whenever the world's clock has moved."""

    def __init__(self, directory: Path, world: World, state: State, variants: Callable[[], ResponseVariants]) -> None:
        self.world, self.state, self.variants = world, state, variants
        self.book = HookBook.read(directory)
        self.busy = asyncio.Lock()
        for slug, clinic in world.clinics.items():
            clinic.deliveries = self.book.deliveries.setdefault(slug, [])

    async def register(self, options: Record, now: datetime) -> Hook:
        """Sets a server's endpoint after probing it, as the dashboard does. Raises SandboxError when it fails."""
        hook = self.book.register(options, now)
        async with _client() as http:
            probed = await self._post(http, hook, b"", {})
        if not probed.accepted:
            raise SandboxError(
                f"The endpoint was probed and did not answer as it must ({probed.status}, {probed.body})."
            )
        self.book.hooks[hook.server] = hook
        self.book.write()
        return hook

    def remove(self, server: str) -> None:
        """Forgets a server's endpoint and what was due to it."""
        self.book.hooks.pop(server, None)
        self.book.waiting = [
            attempt for attempt in self.book.waiting if self.world.clinics[attempt.clinic].server != server
        ]
        self.book.write()

    async def run(self, now: datetime) -> Counter[str]:
        """Makes every attempt that is due by `now`; returns counts of attempts, deliveries and failures."""
        if not self.book.hooks:
            return Counter()
        tally: Counter[str] = Counter()
        async with self.busy, _client() as http:
            self._queue_news(now)
            while self.book.waiting and self.book.waiting[0].due <= now.isoformat():
                await self._attempt(http, self.book.waiting.pop(0), tally)
            oldest = utc_text(now - timedelta(days=EVENT_DAYS))
            for rows in self.book.deliveries.values():
                rows[:] = [row for row in rows if row["attempted_at"] >= oldest]
            self.book.write()
        return tally

    async def resend(self, now: datetime, *, days: int, times: int, disorder: bool, seed: int) -> Counter[str]:
        """Sends every event of the last days again, some times over, in order or not: duplicates on demand."""
        rng = rng_for("resend", seed)
        again: list[Attempt] = []
        for hook in self.book.hooks.values():
            for clinic, event in self._news(hook, now - timedelta(days=days), now):
                again += [
                    Attempt(due=now.isoformat(), order=0, number=1, clinic=clinic.slug, event_id=event.id)
                ] * times
        if disorder:
            rng.shuffle(again)
        tally: Counter[str] = Counter()
        async with self.busy, _client() as http:
            for attempt in again:
                await self._attempt(http, attempt, tally)
            self.book.write()
        return tally

    def _news(self, hook: Hook, since: datetime, until: datetime) -> list[tuple[SandboxClinic, Event]]:
        news = [
            (clinic, event)
            for clinic in self.world.clinics.values()
            if clinic.server == hook.server
            for event in clinic.events.values()
            if since < event.at <= until and hook.wants(event.type)
        ]
        return sorted(news, key=lambda pair: pair[1].at)

    def _queue_news(self, now: datetime) -> None:
        for hook in self.book.hooks.values():
            for number, (clinic, event) in enumerate(self._news(hook, datetime.fromisoformat(hook.since), now)):
                rng = rng_for("webhook", hook.seed, event.id)
                times = 1 + (rng.randint(1, 5) if rng.random() < hook.duplicates else 0)
                for _ in range(times):
                    late = timedelta(minutes=rng.uniform(0, 30) if hook.disorder else 0)
                    due = min(event.at + late, now).isoformat()
                    insort(
                        self.book.waiting,
                        Attempt(due=due, order=number, number=1, clinic=clinic.slug, event_id=event.id),
                    )
            hook.since = now.isoformat()

    async def _attempt(self, http: httpx.AsyncClient, attempt: Attempt, tally: Counter[str]) -> None:
        clinic = self.world.clinics[attempt.clinic]
        hook, event = self.book.hooks.get(clinic.server), clinic.events.get(attempt.event_id)
        if hook is None or event is None or hook.disabled or not self._allowed(clinic, event):
            return
        answer = await self._deliver(http, hook, event)
        tally["attempts"] += 1
        tally["delivered" if answer.accepted else "failed"] += 1
        due = datetime.fromisoformat(attempt.due)
        clinic.deliveries.append(
            {
                "id": str(uuid4()),
                "event_id": event.id,
                "attempted_at": utc_text(due),
                "successfully_delivered": answer.accepted,
                "attempts": attempt.number,
                "response_status": answer.status,
                "response_body": answer.body,
            }
        )
        self._judge(hook, answer, due)
        if not answer.accepted and attempt.number <= len(BACK_OFF):
            later = due + timedelta(minutes=BACK_OFF[attempt.number - 1])
            insort(
                self.book.waiting,
                Attempt(
                    due=later.isoformat(),
                    order=attempt.order,
                    number=attempt.number + 1,
                    clinic=attempt.clinic,
                    event_id=attempt.event_id,
                ),
            )

    def _judge(self, hook: Hook, answer: WebhookAnswer, due: datetime) -> None:
        if answer.accepted:
            hook.failing_since = None
        elif answer.status == GONE:
            hook.disabled = f"it answered {GONE}"
        elif hook.failing_since is None:
            hook.failing_since = due.isoformat()
        elif due - datetime.fromisoformat(hook.failing_since) > timedelta(hours=FAILING_HOURS):
            hook.disabled = f"it failed for more than {FAILING_HOURS} hours"

    def _allowed(self, clinic: SandboxClinic, event: Event) -> bool:
        # Events are sent only while an authorization with the event's scope is valid.
        scope = scope_of(event.type)
        return any(pair.clinic == clinic.slug and scope in pair.scope.split() for pair in self.state.pairs.values())

    async def _deliver(self, http: httpx.AsyncClient, hook: Hook, event: Event) -> WebhookAnswer:
        probed = await self._post(http, hook, b"", {})
        if not probed.accepted:
            return probed
        body = webhook_body(event, self.variants())
        stamp = int(time.time())
        signed = signature(self.state.apps[hook.server].signature_key, stamp, body)
        headers = {"Content-Type": "application/json", "Fullscript-Signature": f"t={stamp},v1={signed}"}
        return await self._post(http, hook, body, headers)

    async def _post(self, http: httpx.AsyncClient, hook: Hook, body: bytes, headers: dict[str, str]) -> WebhookAnswer:
        token = self.state.apps[hook.server].challenge_token
        try:
            async with asyncio.timeout(hook.timeout):
                answer = await http.post(hook.url, content=body, headers=headers)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            return WebhookAnswer(False, None, type(error).__name__)
        try:
            reply = orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            reply = None
        accepted = answer.status_code in {200, 201} and isinstance(reply, dict) and reply.get("challenge") == token
        # The token is a secret: the log shows that it was there, not what it is.
        return WebhookAnswer(
            accepted, answer.status_code, answer.text[:MOST_ANSWER_CHARACTERS].replace(token, "[challenge]")
        )


def webhook_body(event: Event, variants: ResponseVariants) -> bytes:
    """The body of a webhook about an event."""
    shown: Record = {**event.row, "data": event.data}
    if variants:
        shown = unnest_event(shown) if "unnested_event_data" in variants else shown
        shown = reshape_answer(variants, "", {"event": shown})["event"]
    body: Record = {"event": shown} if "bare_webhooks" in variants else {"event_payload": {"event": shown}}
    return variants.replace_ids_in_answer(orjson.dumps(body))


def signature(key: str, stamp: int, body: bytes) -> str:
    """The documented signature: HMAC-SHA256 over time, a full stop and the raw body, in hexadecimal digits."""
    return hmac.new(key.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=None, trust_env=False, follow_redirects=False)  # noqa: S113 - asyncio.timeout does
