"""Asset checks of the event feeds and the webhooks. They read the state store only.

What does not belong here: checks that read the warehouse (`tables`, `listings`), why no webhook arrives
(`refresh.webhook_diagnosis`).
"""

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.runtime import StateResource
from fullscript_pipeline.refresh import (
    Notice,
    feed_freshness,
    list_notices,
    measure_inbox,
    undelivered_webhooks,
    unhandled_events,
)

_EVENTS = dg.AssetKey(["core", "events"])


@dg.asset_check(
    asset=_EVENTS,
    name="event_feeds_are_fresh",
    description=(
        "Every clinic's event feeds were read within the last 7 days (error from 21 days); feeds reach 30 days back. "
        "What to do: start the daemon or run `fullscript-pipeline refresh`. Days that no feed reaches any more are "
        "named, and a full re-sync (clinic_sweep) covers them."
    ),
)
def event_feeds_are_fresh(state: StateResource) -> dg.AssetCheckResult:
    today = clock.now().date()
    with state.open() as store:
        feeds = [feed_freshness(store, clinic, today) for clinic in store.clinics.all()]
    behind = [clinic_feeds for clinic_feeds in feeds if clinic_feeds.level != "ok"]
    error = any(clinic_feeds.level == "error" for clinic_feeds in behind)
    return dg.AssetCheckResult(
        passed=not behind,
        severity=dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN,
        description=" ".join(f"{clinic_feeds.clinic_key}: {clinic_feeds.sentence()}" for clinic_feeds in behind)
        or "Every feed was read within a week.",
        metadata={
            "clinics": len(feeds),
            "oldest_days": max((clinic_feeds.days or 0 for clinic_feeds in feeds), default=0),
            "lost": "; ".join(
                f"{clinic_feeds.clinic_key}: {clinic_feeds.lost_span}"
                for clinic_feeds in feeds
                if clinic_feeds.lost_span
            ),
            "swept": "; ".join(
                f"{clinic_feeds.clinic_key}: {clinic_feeds.last_resync}"
                for clinic_feeds in feeds
                if clinic_feeds.last_resync
            ),
        },
    )


@dg.asset_check(
    asset=_EVENTS,
    name="webhooks_are_heard",
    description=(
        "Where webhooks are configured, they arrive while the feeds show events. What to do: the message names the "
        "likely cause, of those that the vendor documents."
    ),
)
def webhooks_are_heard(state: StateResource) -> dg.AssetCheckResult:
    with state.open() as store:
        causes = undelivered_webhooks(state.settings.read(), store)
    return dg.AssetCheckResult(
        passed=not causes,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(f"{key}: {cause}" for key, cause in causes.items()) or "No webhook is missing.",
        metadata={"silent_clinics": ", ".join(causes)},
    )


@dg.asset_check(
    asset=_EVENTS,
    name="clinic_keys_are_valid",
    description=(
        "No clinic has withdrawn the app's key (`clinic_key.revoked` as the last event about it). What to do: ask the "
        "clinic that is named whether that was intended; then `disconnect`, or `connect` again."
    ),
)
def clinic_keys_are_valid(state: StateResource) -> dg.AssetCheckResult:
    return _notice_result([notice for notice in _notices(state) if notice.is_revocation], "No clinic withdrew its key.")


@dg.asset_check(
    asset=_EVENTS,
    name="event_types_are_known",
    description=(
        "Every event is of a type that is listed in docs/operations.md. Events of other types delay nothing. What to "
        "do: look the type up in the vendor's reference, and update the program."
    ),
)
def event_types_are_known(state: StateResource) -> dg.AssetCheckResult:
    return _notice_result(
        [notice for notice in _notices(state) if not notice.is_revocation], "Every event type is known."
    )


@dg.asset_check(
    asset=_EVENTS,
    name="events_are_handled",
    description=(
        "The object of every event was fetched after the event. None waits longer than the retries take (about an "
        "hour), and the server refuses none. What to do: the message says since when and why; `refresh` retries at "
        "once."
    ),
)
def events_are_handled(state: StateResource) -> dg.AssetCheckResult:
    with state.open() as store:
        by_clinic = [
            events for clinic in store.clinics.all() if (events := unhandled_events(store, clinic)) is not None
        ]
    sentences = [f"{events.clinic_key}: {events.sentence}" for events in by_clinic if events.needs_attention]
    return dg.AssetCheckResult(
        passed=not sentences,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(sentences) or "No event waits for its object.",
        metadata={
            "waiting": sum(events.backlog.waiting for events in by_clinic),
            "unreadable": sum(events.backlog.unreadable for events in by_clinic),
        },
    )


@dg.asset_check(
    asset=_EVENTS,
    name="webhook_inbox_has_room",
    description=(
        "The webhook inbox is not nearly full (FULLSCRIPT_WEBHOOK_INBOX_MB), and no delivery in it waits for more "
        "than an hour. When it is full, the vendor gets the answer 503. What to do: the message says it."
    ),
)
def webhook_inbox_has_room(state: StateResource) -> dg.AssetCheckResult:
    with state.open() as store:
        room = measure_inbox(state.settings.read(), store)
    return dg.AssetCheckResult(
        passed=not room.needs_attention,
        severity=dg.AssetCheckSeverity.ERROR if room.is_full else dg.AssetCheckSeverity.WARN,
        description=f"{room.sentence[0].upper()}{room.sentence[1:]}. {room.advice if room.needs_attention else ''}",
        metadata={"waiting": room.size.waiting, "waiting_bytes": room.size.waiting_bytes},
    )


def _notices(state: StateResource) -> list[Notice]:
    with state.open() as store:
        return [notice for clinic in store.clinics.all() for notice in list_notices(store, clinic)]


def _notice_result(clinic_notices: list[Notice], nothing: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not clinic_notices,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(notice.sentence for notice in clinic_notices) or nothing,
        metadata={"clinics": ", ".join(sorted({notice.clinic_key for notice in clinic_notices}))},
    )


EVENT_CHECKS = (
    event_feeds_are_fresh,
    webhooks_are_heard,
    clinic_keys_are_valid,
    event_types_are_known,
    events_are_handled,
    webhook_inbox_has_room,
)
