"""Asset checks of the event feeds and the webhooks. They read the state store only.

What does not belong here: checks that read the warehouse (`tables`, `listings`), why no webhook arrives
(`refresh.webhook_diagnosis`).
"""

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.runtime import FullscriptResource
from fullscript_pipeline.refresh import Notice, freshness, inbox_room, notices, undelivered_webhooks, unhandled

_EVENTS = dg.AssetKey(["core", "events"])


@dg.asset_check(
    asset=_EVENTS,
    name="event_feeds_are_fresh",
    description=(
        "Every clinic's event feeds were read within 7 days (error from 21); they reach 30 days back. What to do: "
        "start the daemon or run `fullscript-pipeline refresh`; a lost span is named, then swept (clinic_sweep)."
    ),
)
def event_feeds_are_fresh(fullscript: FullscriptResource) -> dg.AssetCheckResult:
    today = clock.now().date()
    with fullscript.store() as store:
        found = [freshness(store, clinic, today) for clinic in store.clinics()]
    behind = [one for one in found if one.level != "ok"]
    error = any(one.level == "error" for one in behind)
    return dg.AssetCheckResult(
        passed=not behind,
        severity=dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN,
        description=" ".join(f"{one.clinic_key}: {one.sentence()}" for one in behind)
        or "Every feed was read within a week.",
        metadata={
            "clinics": len(found),
            "oldest_days": max((one.days or 0 for one in found), default=0),
            "lost": "; ".join(f"{one.clinic_key}: {one.lost}" for one in found if one.lost),
            "swept": "; ".join(f"{one.clinic_key}: {one.swept}" for one in found if one.swept),
        },
    )


@dg.asset_check(
    asset=_EVENTS,
    name="webhooks_are_heard",
    description=(
        "Where webhooks are set up, they come while the feeds show activity. What to do: the message names the cause "
        "among those that the vendor documents."
    ),
)
def webhooks_are_heard(fullscript: FullscriptResource) -> dg.AssetCheckResult:
    with fullscript.store() as store:
        causes = undelivered_webhooks(fullscript.settings(), store)
    return dg.AssetCheckResult(
        passed=not causes,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(f"{key}: {cause}" for key, cause in causes.items()) or "Nothing is missed.",
        metadata={"silent_clinics": ", ".join(causes)},
    )


@dg.asset_check(
    asset=_EVENTS,
    name="clinic_keys_are_valid",
    description=(
        "No clinic's last event of its integration key is `clinic_key.revoked`. What to do: the message names the "
        "clinic; ask it whether that was meant, then `disconnect`, or `connect` again."
    ),
)
def clinic_keys_are_valid(fullscript: FullscriptResource) -> dg.AssetCheckResult:
    return _noticed([one for one in _notices(fullscript) if one.is_revocation], "No clinic withdrew its key.")


@dg.asset_check(
    asset=_EVENTS,
    name="event_types_are_known",
    description=(
        "Every event that was seen is of a type in docs/operations.md. Nothing is held up by another one. What to do: "
        "look the type up in the vendor's reference, and update the program."
    ),
)
def event_types_are_known(fullscript: FullscriptResource) -> dg.AssetCheckResult:
    return _noticed([one for one in _notices(fullscript) if not one.is_revocation], "Every event type is known.")


@dg.asset_check(
    asset=_EVENTS,
    name="events_are_handled",
    description=(
        "Every event's object was read after it; none waits longer than its tries take (about an hour), none is about "
        "an object that the server refuses. What to do: the message says since when and why; `refresh` tries at once."
    ),
)
def events_are_handled(fullscript: FullscriptResource) -> dg.AssetCheckResult:
    with fullscript.store() as store:
        found = [one for clinic in store.clinics() if (one := unhandled(store, clinic)) is not None]
    told = [f"{one.clinic_key}: {one.sentence}" for one in found if one.needs_attention]
    return dg.AssetCheckResult(
        passed=not told,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(told) or "No event waits for its object.",
        metadata={
            "waiting": sum(one.backlog.waiting for one in found),
            "unreadable": sum(one.backlog.unreadable for one in found),
        },
    )


@dg.asset_check(
    asset=_EVENTS,
    name="webhook_inbox_has_room",
    description=(
        "The webhook inbox is not nearly full (FULLSCRIPT_WEBHOOK_INBOX_MB), and nothing in it waits for more than an "
        "hour; when it is full, the vendor is told 503. What to do: the message says it."
    ),
)
def webhook_inbox_has_room(fullscript: FullscriptResource) -> dg.AssetCheckResult:
    with fullscript.store() as store:
        room = inbox_room(fullscript.settings(), store)
    return dg.AssetCheckResult(
        passed=not room.needs_attention,
        severity=dg.AssetCheckSeverity.ERROR if room.is_full else dg.AssetCheckSeverity.WARN,
        description=f"{room.sentence[0].upper()}{room.sentence[1:]}. {room.advice if room.needs_attention else ''}",
        metadata={"waiting": room.size.waiting, "waiting_bytes": room.size.waiting_bytes},
    )


def _notices(fullscript: FullscriptResource) -> list[Notice]:
    with fullscript.store() as store:
        return [notice for clinic in store.clinics() for notice in notices(store, clinic)]


def _noticed(found: list[Notice], nothing: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(one.sentence for one in found) or nothing,
        metadata={"clinics": ", ".join(sorted({one.clinic_key for one in found}))},
    )


EVENT_CHECKS = (
    event_feeds_are_fresh,
    webhooks_are_heard,
    clinic_keys_are_valid,
    event_types_are_known,
    events_are_handled,
    webhook_inbox_has_room,
)
