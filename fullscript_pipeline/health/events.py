"""Checks of event feeds, webhooks, and events and deliveries that could not be handled.

What does not belong here: the rules (`refresh`), which the asset checks use too.
"""

from collections.abc import Iterator

from fullscript_pipeline import clock
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.health.finding import Finding, failed, failed_by, passed, warned
from fullscript_pipeline.plural import counted
from fullscript_pipeline.refresh import (
    InboxRoom,
    feed_freshness,
    list_notices,
    measure_inbox,
    undelivered_webhooks,
    unhandled_events,
)
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, StateStore


def check_events(settings: Settings, store: StateStore) -> Iterator[Finding]:
    """A finding for every clinic whose feeds were read before, one for webhooks if configured, one for the inbox."""
    for clinic in store.clinics.all():
        try:
            yield from _check_feeds(store, clinic)
            yield from _check_unhandled(store, clinic)
            yield from _check_notices(store, clinic)
        except PipelineError as error:
            yield failed_by(f"clinic.{clinic.clinic_key}.events", error)
    try:
        yield from _check_webhooks(settings, store)
    except PipelineError as error:
        yield failed_by("webhooks.heard", error)
    yield from _check_change_notices(store)
    try:
        yield _check_inbox(len(store.inbox.deliveries(["failed"], with_body=False)), measure_inbox(settings, store))
    except PipelineError as error:
        yield failed_by("webhooks.inbox", error)


def _check_feeds(store: StateStore, clinic: Clinic) -> Iterator[Finding]:
    """No finding before the first pull: that has its own."""
    check, feeds = f"clinic.{clinic.clinic_key}.events", feed_freshness(store, clinic, clock.now().date())
    if feeds.level != "ok":
        failing = feeds.level == "error"
        yield Finding(id=check, state="fail" if failing else "warn", what=feeds.sentence(), exit_code=int(failing))
    elif feeds.days is not None:
        when = f"{counted(feeds.days, 'day')} ago" if feeds.days else "today"
        yield passed(check, f"the feeds were read {when}")


def _check_unhandled(store: StateStore, clinic: Clinic) -> Iterator[Finding]:
    """No finding when every event is handled or will be retried soon."""
    events = unhandled_events(store, clinic)
    if events is not None and events.needs_attention:
        yield Finding(id=f"clinic.{clinic.clinic_key}.unhandled_events", state="warn", what=events.sentence)


def _check_notices(store: StateStore, clinic: Clinic) -> Iterator[Finding]:
    """No finding when nothing needs attention."""
    clinic_notices = list_notices(store, clinic)
    if revoked := " ".join(notice.sentence for notice in clinic_notices if notice.is_revocation):
        yield Finding(id=f"clinic.{clinic.clinic_key}.integration", state="warn", what=revoked)
    if unknown := " ".join(notice.sentence for notice in clinic_notices if not notice.is_revocation):
        yield Finding(id=f"clinic.{clinic.clinic_key}.event_types", state="warn", what=unknown)


def _check_webhooks(settings: Settings, store: StateStore) -> Iterator[Finding]:
    """No finding when no webhook is configured: the feeds are enough."""
    servers = settings.servers.values()
    if not any(server.webhook_challenge_token and server.webhook_signature_keys for server in servers):
        return
    causes = undelivered_webhooks(settings, store)
    what = " ".join(f"{clinic_key}: {cause}" for clinic_key, cause in causes.items())
    yield (
        Finding(id="webhooks.heard", state="warn", what=what)
        if causes
        else passed("webhooks.heard", "no webhook is missing")
    )


def _check_change_notices(store: StateStore) -> Iterator[Finding]:
    """No finding when every message about a catalog digest was received."""
    failing = [notice for notice in store.change_notices.pending(("command", "url")) if notice.tries]
    if failing:
        yield warned(
            "catalog.change_notices",
            f"{counted(len(failing), 'message')} about catalog digests not received yet. {failing[0].last_error}",
            "Each is sent again, at the latest in an hour; correct the setting or the receiver.",
        )


def _check_inbox(failures: int, room: InboxRoom) -> Finding:
    if room.is_full:
        return failed("webhooks.inbox", room.sentence, room.advice, 1)
    if not failures and room.needs_attention:
        return warned("webhooks.inbox", room.sentence, room.advice)
    if not failures:
        return passed("webhooks.inbox", f"nothing failed; {room.sentence}")
    return warned(
        "webhooks.inbox",
        f"{counted(failures, 'delivery', 'deliveries')} could not be handled; {room.sentence}",
        "`fullscript-pipeline webhooks inbox list` shows why; then `webhooks inbox replay` or `ignore` them.",
    )
