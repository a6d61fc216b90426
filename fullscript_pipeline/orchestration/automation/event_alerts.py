"""Sends alerts about events that a person should know of: a revoked key, an undocumented event type.

Each is sent once; the state store records it. What does not belong here: which events these are
(`refresh.event_notices`), how an alert is sent (`failure_alerts`).
"""

import dagster as dg

from fullscript_pipeline.orchestration.automation import failure_alerts
from fullscript_pipeline.orchestration.runtime import StateResource
from fullscript_pipeline.refresh import Notice, list_notices
from fullscript_pipeline.state import StateStore


@dg.sensor(
    name="event_notices_sensor",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Sends one alert to FULLSCRIPT_ON_FAILURE_COMMAND or FULLSCRIPT_ON_FAILURE_URL for each clinic that withdrew "
        "its key, and for each event type that the vendor's documentation does not have."
    ),
)
def event_notices_sensor(context: dg.SensorEvaluationContext, state: StateResource) -> dg.SkipReason:
    settings = state.settings.read()
    with state.open() as store:
        new = _unsent(store)
        if not new:
            return dg.SkipReason("No new event needs attention.")
        if not (settings.on_failure_command or settings.on_failure_url):
            sentences = " ".join(notice.sentence for notice in new)
            return dg.SkipReason(
                f"{sentences} Neither FULLSCRIPT_ON_FAILURE_COMMAND nor FULLSCRIPT_ON_FAILURE_URL is set."
            )
        outcomes = []
        for notice in new:
            message = {"what": "event", "clinic": notice.clinic_key, "event_type": notice.subject}
            outcomes += failure_alerts.send_alerts(settings, {**message, "sentence": notice.sentence})
            store.facts.set(_sent_flag(notice), "sent")
    return dg.SkipReason("; ".join(outcomes))


def _unsent(store: StateStore) -> list[Notice]:
    all_notices = [notice for clinic in store.clinics.all() for notice in list_notices(store, clinic)]
    # When several clinics have events of one unknown type, the first notice is enough.
    by_identity = {notice.identity: notice for notice in reversed(all_notices)}
    return [notice for notice in reversed(by_identity.values()) if store.facts.get(_sent_flag(notice)) is None]


def _sent_flag(notice: Notice) -> str:
    return f"event_notice:{notice.identity}"
