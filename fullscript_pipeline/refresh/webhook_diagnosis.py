"""Diagnoses missing webhook deliveries: which documented cause fits when only the feeds show events.

The vendor sends no message when it stops delivering. What does not belong here: listing deliveries (`reconcile`),
receiving them (`webhooks`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.event_types import event_family
from fullscript_pipeline.refresh.inbox_ingest import LAST_INGESTED
from fullscript_pipeline.refresh.reconcile import ReconcileResult, last_reconcile
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, LedgerEvent, StateStore

# A webhook mostly arrives at once; a feed may show the event a moment earlier.
GRACE = timedelta(minutes=30)
FIRST_LOOK_BACK = timedelta(days=3)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
# An endpoint that fails for longer than this may be disabled by the vendor.
DISABLED_AFTER = timedelta(hours=24)
# Statuses that our receiver sends, among them those for a bad signature and a wrong challenge token.
_OURS = frozenset({"200", "201", "400", "401", "403"})


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known about a clinic whose webhooks are missing. `types`: of events that only a feed showed."""

    types: tuple[str, ...]
    has_token: bool
    scopes: tuple[str, ...]
    reconciled: ReconcileResult | None


def undelivered_webhooks(settings: Settings, store: StateStore) -> dict[str, str]:
    """Returns the cause by clinic key, for clinics on servers with webhooks set up; empty when no delivery is
    missing."""
    causes = {}
    for clinic in store.clinics.all():
        server = settings.servers[clinic.server]
        if not (server.webhook_challenge_token and server.webhook_signature_keys):
            continue
        if undelivered := _undelivered_events(store, clinic):
            grant = store.tokens.load_grant(clinic)
            evidence = Evidence(
                types=tuple(sorted({event.event_type for event in undelivered if event.event_type})),
                has_token=clinic.status == "ok" and grant is not None,
                scopes=grant.scopes if grant else (),
                reconciled=last_reconcile(store, clinic),
            )
            causes[clinic.clinic_key] = diagnose(evidence)
    return causes


def diagnose(evidence: Evidence) -> str:
    """Returns the documented cause that fits the evidence, and what to do about it."""
    if not evidence.has_token:
        return "no valid token: the vendor sends only while somebody's token is valid; run `connect` again."
    if missing := _missing_scopes(evidence):
        return f"missing scope {', '.join(missing)}: add it to the app in the vendor's dashboard, then `connect` again."
    if evidence.reconciled is None:
        return "not known yet: the hourly reconcile reads the vendor's list of deliveries; check again in an hour."
    return _diagnose_deliveries(evidence.reconciled, evidence.types)


def _diagnose_deliveries(reconciled: ReconcileResult, types: Iterable[str]) -> str:
    said = ", ".join(f"{status} x {number}" for status, number in sorted(reconciled.answers.items()))
    if reconciled.refused:
        return "not known: this app may not read the vendor's list of deliveries; check the dashboard's webhook page."
    if _is_disabled(reconciled):
        return "disabled endpoint: deliveries failed until the vendor stopped; correct it, enable it in the dashboard."
    if reconciled.deliveries and reconciled.answers and _OURS & reconciled.answers.keys():
        return f"wrong secret: deliveries are refused ({said}); copy signature key and challenge token of this server."
    if reconciled.deliveries and reconciled.answers:
        return f"not reachable: deliveries fail ({said}); check the address, the proxy and that `webhooks serve` runs."
    if reconciled.delivered:
        return "another receiver: the vendor was answered, but not by this one; compare the address in the dashboard."
    never = ", ".join(types) or "these events"
    return f"not subscribed: the vendor attempted nothing for {never}; tick the events in the dashboard and save."


def _is_disabled(reconciled: ReconcileResult) -> bool:
    """Whether the vendor stopped: after a 410, or after a day of failures."""
    if "410" in reconciled.answers:
        return True
    if reconciled.last_attempt_at is None or (reconciled.last_success_at or "") >= reconciled.last_attempt_at:
        return False
    return clock.now() - datetime.fromisoformat(reconciled.last_attempt_at) > DISABLED_AFTER


def _missing_scopes(evidence: Evidence) -> list[str]:
    if not evidence.scopes:  # the server named none
        return []
    needed = {
        family.feed.scope
        for event_type in evidence.types
        if (family := event_family(event_type)) is not None and family.feed.scope
    }
    return sorted(needed - {scope.lower() for scope in evidence.scopes})


def _undelivered_events(store: StateStore, clinic: Clinic) -> list[LedgerEvent]:
    """Returns events that only a feed has shown since the server's last webhook. Events from before the first poll do
    not count: that poll lists 30 days."""
    last_ingested = store.feeds.position(clinic.server, "", LAST_INGESTED)
    since = datetime.fromisoformat(last_ingested) if last_ingested else clock.now() - FIRST_LOOK_BACK
    events = store.events.since(clinic.server, clinic.clinic_id, _EVER)
    first_look = events[0].seen_at if events else None
    return [event for event in _seen_by_feed_since(events, since) if not _happened_before(event, first_look)]


def _happened_before(event: LedgerEvent, first_look: datetime | None) -> bool:
    try:
        created = datetime.fromisoformat(event.created_at or "")
    except ValueError:
        return False
    created = created if created.tzinfo else created.replace(tzinfo=UTC)
    return first_look is not None and created < first_look


def _seen_by_feed_since(events: Iterable[LedgerEvent], since: datetime) -> Iterable[LedgerEvent]:
    latest = clock.now() - GRACE
    return (
        event
        for event in events
        if event.seen_by != "webhook" and event.seen_at is not None and since < event.seen_at <= latest
    )
