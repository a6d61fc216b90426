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
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.drills.world_comparison import Account, account
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.free_ports import free_port

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
def receiving(live_clinic: LiveClinic, port: int) -> Iterator[None]:
    """`webhooks serve` as a process of its own."""
    run = [sys.executable, "-m", "fullscript_pipeline", "webhooks", "serve", "--port", str(port)]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not live_clinic.sandbox.sender.book.hooks:
                live_clinic.connected.sandbox.control.set_webhook(live_clinic.clinic.server, line.split()[1])
            yield
        finally:
            process.terminate()
            process.wait(20)


def drill(folder: Path, *, minutes: int = 0, days: int = 0) -> Found:
    """Everything is down for that long while things happen; then it is up, and reconciles."""
    name = f"outage {days} d" if days else f"outage {minutes // 60} h"
    with open_live_clinic(folder, patients=12, products=20) as live_clinic:
        app = live_clinic.connected.sandbox.apps[live_clinic.clinic.server]
        os.environ["FULLSCRIPT_US_SND_WEBHOOK_CHALLENGE_TOKEN"] = app["webhook_challenge_token"]
        os.environ["FULLSCRIPT_US_SND_WEBHOOK_SIGNATURE_KEYS"] = app["webhook_signature_key"]
        port = free_port()
        with receiving(live_clinic, port):
            live_clinic.reconcile()
        known = set(live_clinic.world.events)
        happened = happens(live_clinic, minutes=minutes, days=days)
        new = [
            one.id for one in live_clinic.world.events.values() if one.id not in known and one.type.startswith(OTHERS)
        ]
        with receiving(live_clinic, port):
            found = recover(live_clinic, list(dict.fromkeys([*happened, *new])), len(set(happened) - set(new)))
        report_promise(
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


def happens(live_clinic: LiveClinic, *, minutes: int, days: int) -> list[str]:
    """Orders and plan changes at the beginning of the outage, then time passes; the ids of their events."""
    control, before = live_clinic.connected.sandbox.control, set(live_clinic.world.events)
    for number in range(10):
        live_clinic.order()
        live_clinic.change_plan(live_clinic.active_plans()[number % 3], personal_message=f"in the outage {number}")
    live_clinic.change_plan(live_clinic.active_plans()[4], state="cancelled")
    happened = [event_id for event_id in live_clinic.world.events if event_id not in before]
    if minutes:
        control.webhook("minutes", minutes=minutes)
    if days:
        control.advance(days=days)
    os.environ["FULLSCRIPT_NOW"] = live_clinic.sandbox.moment.isoformat()
    return happened


def recover(live_clinic: LiveClinic, event_ids: list[str], unlisted: int) -> Found:
    """Up again: late deliveries come, then one round as `refresh` makes it, a sweep if a span is lost."""
    control, store, before = live_clinic.connected.sandbox.control, live_clinic.store, account(live_clinic)
    if live_clinic.sandbox.minutes:
        control.webhook("minutes", minutes=60)
    os.environ["FULLSCRIPT_NOW"] = live_clinic.sandbox.moment.isoformat()
    refresh.ingest_inbox(store)
    live_clinic.look()
    live_clinic.reconcile()
    day: date = live_clinic.sandbox.world.day
    pending: dict[str, Any] = {
        one.event_id: one for one in store.events.pending(live_clinic.clinic.server, live_clinic.clinic.clinic_id)
    }
    by = [pending[one].seen_by for one in event_ids if one in pending]
    live_clinic.handle()
    span = refresh.pending_resync_span(store, live_clinic.clinic)
    if span:
        with live_clinic.session(live_clinic.clinic) as session:
            refresh.resync_clinic(live_clinic.target(live_clinic.clinic), session)
            refresh.mark_resync_done(store, live_clinic.clinic, day)
    # Something new happens, and an hour later the silence, if there is one, has a cause.
    live_clinic.order()
    control.webhook("minutes", minutes=1)
    live_clinic.look()
    os.environ["FULLSCRIPT_NOW"] = (live_clinic.sandbox.moment + timedelta(hours=1)).isoformat()
    refresh.ingest_inbox(store)
    silence = refresh.undelivered_webhooks(load_settings(), store).get(live_clinic.clinic.clinic_key, "heard")
    live_clinic.handle()
    counted = (by.count("webhook"), by.count("feed"), by.count("delivery"))
    return Found(len(event_ids), unlisted, *counted, before.lost, account(live_clinic), span, silence)
