"""Plans that are kept for re-use, a practitioner's or Fullscript's (`owner`).

What does not belong here: plans that were sent to somebody (`treatment_plans`).
"""

from fullscript_pipeline.resources.plan_lines import OWNER, lab_recommendations, recommendations, resources
from fullscript_pipeline.resources.types import (
    SORTING,
    Child,
    Column,
    Kind,
    RequestEstimate,
    RequestRule,
    Resource,
    Table,
    detail,
    list_of,
    nested_list,
    reference,
    scopes,
    text,
)

PROTOCOL_RECOMMENDATIONS = recommendations("protocol_recommendations", "protocol_id", history=False)
PROTOCOL_RESOURCES = resources("protocol_resources", "protocol_id", history=False)
PROTOCOL_LAB_RECOMMENDATIONS = lab_recommendations("protocol_lab_recommendations", "protocol_id", history=False)

PROTOCOLS = Table(
    name="protocols",
    scope="clinic",
    key=("protocol_id",),
    columns=(
        OWNER,
        text("name"),
        text("state", "current_state", "state"),
        reference("practitioner_id"),
        text("personal_message"),
    ),
    children=(
        Child(table=PROTOCOL_RECOMMENDATIONS, array="recommendations", parent_column="protocol_id"),
        Child(table=PROTOCOL_RESOURCES, array="resources", parent_column="protocol_id"),
        Child(table=PROTOCOL_LAB_RECOMMENDATIONS, array="lab_recommendations", parent_column="protocol_id"),
    ),
    untyped=("practitioner",),
)

# Who is shown which: their own, and what others share with them.
PRACTITIONER_PROTOCOLS = Table(
    name="practitioner_protocols",
    scope="clinic",
    key=("practitioner_id", "protocol_id"),
    columns=(Column(name="protocol_name", kind=Kind.TEXT, source=("name",)), text("ownership")),
)

PROTOCOLS_RESOURCE = Resource(
    name="protocols",
    texts={
        "protocols": "Plans kept for re-use, a practitioner's or Fullscript's (`owner`).",
        "protocol_recommendations": "What each protocol recommends.",
        "protocol_resources": "Documents attached to a protocol.",
        "protocol_lab_recommendations": "Lab panels of a protocol.",
        "practitioner_protocols": "Which practitioner is shown which protocol.",
    },
    tables=(PROTOCOLS, PRACTITIONER_PROTOCOLS),
    endpoints=(
        list_of(
            "fullscript_protocols",
            "/clinic/fullscript_protocols",
            scopes.CLINIC,
            "protocols",
            "fullscript_protocols",
            filters=SORTING,
        ),
        nested_list(
            "practitioner_protocols",
            "/clinic/practitioners/{practitioner_id}/protocols",
            scopes.CLINIC,
            "protocols",
            filters=("current_state", "ownership_type", *SORTING),
        ),
        detail("protocol", "/clinic/protocols/{id}", scopes.CLINIC),
    ),
    source="GET /clinic/fullscript_protocols, GET /clinic/practitioners/{practitioner_id}/protocols",
    group="clinical",
    contains_phi=False,
    made_from={"practitioner_protocols": ("practitioners",)},
    estimate=RequestEstimate(
        rule="as last time",
        shown_as="GET /clinic/*/protocols",
        first_each="practitioner",
        first_besides=1,
        why="Fullscript's list and one for each of {each:,} practitioners",
    ),
    request_rules=(
        RequestRule(
            requests="GET /clinic/fullscript_protocols, GET /clinic/practitioners/{id}/protocols",
            number="one list, and one per practitioner",
            why="protocols are listed per practitioner",
        ),
    ),
)
