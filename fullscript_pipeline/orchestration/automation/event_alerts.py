"""Events that a person should know of leave the machine the way failed runs do: a revoked key, an undocumented type.

Each is sent once, remembered in the state store. What does not belong here: what is worth knowing (`refresh.notices`),
how it is sent (`failure_alerts`).
"""

import dagster as dg

from fullscript_pipeline.orchestration.automation import failure_alerts
from fullscript_pipeline.orchestration.runtime import FullscriptResource
from fullscript_pipeline.refresh import Notice, notices
from fullscript_pipeline.state import StateStore


@dg.sensor(
    name="event_notices_sensor",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Tells FULLSCRIPT_ON_FAILURE_COMMAND or FULLSCRIPT_ON_FAILURE_URL once of a clinic that withdrew its key, and "
        "of every event type that the vendor's documentation does not have."
    ),
)
def event_notices_sensor(context: dg.SensorEvaluationContext, fullscript: FullscriptResource) -> dg.SkipReason:
    settings = fullscript.settings()
    with fullscript.store() as store:
        new = _unsent(store)
        if not new:
            return dg.SkipReason("No event asks for attention that was not told before.")
        if not (settings.on_failure_command or settings.on_failure_url):
            sentences = " ".join(notice.sentence for notice in new)
            return dg.SkipReason(
                f"{sentences} Neither FULLSCRIPT_ON_FAILURE_COMMAND nor FULLSCRIPT_ON_FAILURE_URL is set."
            )
        said = []
        for notice in new:
            message = {"what": "event", "clinic": notice.clinic_key, "event_type": notice.subject}
            said += failure_alerts.tell(settings, {**message, "sentence": notice.sentence})
            store.set_fact(_fact(notice), "sent")
    return dg.SkipReason("; ".join(said))


def _unsent(store: StateStore) -> list[Notice]:
    found = [notice for clinic in store.clinics() for notice in notices(store, clinic)]
    # Of a type that several clinics have seen the first is enough.
    each = {notice.identity: notice for notice in reversed(found)}
    return [notice for notice in reversed(each.values()) if store.get_fact(_fact(notice)) is None]


def _fact(notice: Notice) -> str:
    return f"event_notice:{notice.identity}"
