"""An outage drill with the sandbox's clock: receiver and pipeline down, then up: what was lost, found, named.

What does not belong here: how long (`test_events`).
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from fullscript_pipeline import refresh
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.drills.promise_line import tell
from fullscript_pipeline_tests.drills.world_comparison import Account, account
from fullscript_pipeline_tests.helpers.clinic_fixture import Living, living
from fullscript_pipeline_tests.helpers.pipeline import free_port

OTHERS = ("order.placed", "treatment_plan.", "patient.")


@dataclass
class Found:
    """What a drill found.

    `unlisted`: events that no feed shows any more; `behind`: what the warehouse lacked or held in an old state before
    anything was done about it; `end`: how it was at the end; `silence`: what the check said once the receiver was up.
    """

    happened: int
    unlisted: int
    by_webhook: int
    by_feed: int
    by_delivery: int
    behind: int
    end: Account
    span: str | None
    silence: str


@contextmanager
def receiving(its: Living, port: int) -> Iterator[None]:
    """`webhooks serve` as a process of its own."""
    run = [sys.executable, "-m", "fullscript_pipeline", "webhooks", "serve", "--port", str(port)]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not its.sandbox.sender.book.hooks:
                its.connected.sandbox.control.set_webhook(its.clinic.server, line.split()[1])
            yield
        finally:
            process.terminate()
            process.wait(20)


def drill(folder: Path, *, minutes: int = 0, days: int = 0) -> Found:
    """Everything is down for that long while things happen; then it is up, and reconciles."""
    name = f"outage {days} d" if days else f"outage {minutes // 60} h"
    with living(folder, patients=12, products=20) as its:
        app = its.connected.sandbox.apps[its.clinic.server]
        os.environ["FULLSCRIPT_US_SND_WEBHOOK_CHALLENGE_TOKEN"] = app["webhook_challenge_token"]
        os.environ["FULLSCRIPT_US_SND_WEBHOOK_SIGNATURE_KEYS"] = app["webhook_signature_key"]
        port = free_port()
        with receiving(its, port):
            its.reconcile()
        known = set(its.world.events)
        told = happens(its, minutes=minutes, days=days)
        new = [one.id for one in its.world.events.values() if one.id not in known and one.type.startswith(OTHERS)]
        with receiving(its, port):
            found = recover(its, list(dict.fromkeys([*told, *new])), len(set(told) - set(new)))
        tell(
            name,
            happened=found.happened,
            behind_before=found.behind,
            unlisted=found.unlisted,
            by_webhook=found.by_webhook,
            by_feed=found.by_feed,
            by_delivery=found.by_delivery,
            lost=found.end.lost,
            duplicated=found.end.duplicated,
            phantom=found.end.phantom,
            span=f"'{found.span}'",
            silence=f"'{found.silence}'",
        )
        return found


def happens(its: Living, *, minutes: int, days: int) -> list[str]:
    """Orders and plan changes at the beginning of the outage, then time passes; the ids of their events."""
    control, before = its.connected.sandbox.control, set(its.world.events)
    for number in range(10):
        its.order()
        its.change_plan(its.active_plans()[number % 3], personal_message=f"in the outage {number}")
    its.change_plan(its.active_plans()[4], state="cancelled")
    told = [one for one in its.world.events if one not in before]
    if minutes:
        control.webhook("minutes", minutes=minutes)
    if days:
        control.advance(days=days)
    os.environ["FULLSCRIPT_NOW"] = its.sandbox.moment.isoformat()
    return told


def recover(its: Living, wanted: list[str], unlisted: int) -> Found:
    """Up again: late deliveries come, then one round as `refresh` makes it, a sweep if a span is lost."""
    control, store, before = its.connected.sandbox.control, its.store, account(its)
    if its.sandbox.minutes:
        control.webhook("minutes", minutes=60)
    os.environ["FULLSCRIPT_NOW"] = its.sandbox.moment.isoformat()
    refresh.ingest_inbox(store)
    its.look()
    its.reconcile()
    day: date = its.sandbox.world.day
    seen: dict[str, Any] = {one.event_id: one for one in store.pending_events(its.clinic.server, its.clinic.clinic_id)}
    by = [seen[one].seen_by for one in wanted if one in seen]
    its.handle()
    span = refresh.pending_resync_span(store, its.clinic)
    if span:
        with its.session(its.clinic) as session:
            refresh.resync_clinic(its.target(its.clinic), session)
            refresh.mark_resync_done(store, its.clinic, day)
    # Something new happens, and an hour later the silence, if there is one, has a cause.
    its.order()
    control.webhook("minutes", minutes=1)
    its.look()
    os.environ["FULLSCRIPT_NOW"] = (its.sandbox.moment + timedelta(hours=1)).isoformat()
    refresh.ingest_inbox(store)
    silence = refresh.undelivered_webhooks(load_settings(), store).get(its.clinic.clinic_key, "heard")
    its.handle()
    counted = (by.count("webhook"), by.count("feed"), by.count("delivery"))
    return Found(len(wanted), unlisted, *counted, before.lost, account(its), span, silence)
