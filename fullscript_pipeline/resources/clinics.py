"""The clinic's account, and the keys by which an old integration knew it.

What does not belong here: its people (`people`), its patients (`patients`).
"""

from fullscript_pipeline.resources.types import (
    BOTH_COPIES,
    EVENT_FILTERS,
    Column,
    Copy,
    EventFamily,
    RequestEstimate,
    RequestRule,
    Resource,
    Table,
    decimal,
    detail,
    instant,
    integer,
    list_of,
    scopes,
    text,
)

CLINICS = Table(
    name="clinics",
    scope="clinic",
    key=("clinic_id",),
    key_is_scope=True,
    copies=BOTH_COPIES,
    columns=(
        Column(name="clinic_key", sql="ctx.clinic_key"),
        Column(name="region", sql="ctx.region").published(),
        Column(name="server", sql="ctx.server"),
        text("name"),
        integer("patient_count").published(Copy.PSEUDONYMISED),
        integer("practitioner_count").published(Copy.PSEUDONYMISED),
        decimal("discount"),
        text("dispensary_url"),
        text("integration_id"),
        instant("integration_activated_at"),
        text("margin_type"),
    ),
)

CLINICS_RESOURCE = Resource(
    name="clinics",
    texts={"clinics": "The clinic's account: name, patient and practitioner counts, discount."},
    tables=(CLINICS,),
    endpoints=(detail("clinic", "/clinic", scopes.CLINIC),),
    group="clinical",
    contains_phi=False,
    estimate=RequestEstimate(rule="once", why="always"),
    request_rules=(
        RequestRule(
            requests="GET /clinic",
            number="one",
        ),
    ),
)

# Its feed is for old apps only; everybody else may be refused. It tells when a clinic withdraws its key.
CLINIC_KEYS_RESOURCE = Resource(
    name="clinic_keys",
    texts={},
    group="events",
    contains_phi=False,
    events=EventFamily(
        prefix="clinic_key",
        name=None,
        feed=list_of("clinic_key_events", "/events/clinic_keys", None, "events", filters=EVENT_FILTERS),
        object_names=("clinic_key",),
        table="clinics",
    ),
)
