"""Documents for patients (the vendor's "resources"), a practitioner's or Fullscript's (`owner`).

What does not belong here: the documents attached to a plan or a protocol (`plan_lines`).
"""

from fullscript_pipeline.resources.plan_lines import OWNER
from fullscript_pipeline.resources.types import (
    Column,
    Kind,
    RequestEstimate,
    RequestRule,
    Resource,
    Table,
    detail,
    list_of,
    nested_list,
    scopes,
    text,
)

RESOURCES = Table(
    name="resources",
    scope="clinic",
    key=("resource_id",),
    columns=(OWNER, text("name"), text("resource_type", "type"), text("category"), text("attachment_url")),
)

PRACTITIONER_RESOURCES = Table(
    name="practitioner_resources",
    scope="clinic",
    key=("practitioner_id", "resource_id"),
    columns=(Column(name="resource_name", kind=Kind.TEXT, source=("name",)),),
)

RESOURCES_RESOURCE = Resource(
    name="resources",
    texts={
        "resources": "Documents, a practitioner's or Fullscript's (`owner`).",
        "practitioner_resources": "Which practitioner keeps which document.",
    },
    tables=(RESOURCES, PRACTITIONER_RESOURCES),
    endpoints=(
        list_of(
            "fullscript_resources",
            "/clinic/fullscript_resources",
            scopes.CLINIC,
            "resources",
            "fullscript_resources",
        ),
        nested_list("practitioner_resources", "/clinic/practitioners/{practitioner_id}/resources", scopes.CLINIC),
        detail(
            "practitioner_resource",
            "/clinic/practitioners/{practitioner_id}/resources/{id}",
            scopes.CLINIC,
            "resource",
        ),
    ),
    source="GET /clinic/fullscript_resources, GET /clinic/practitioners/{practitioner_id}/resources",
    group="clinical",
    contains_phi=False,
    made_from={"practitioner_resources": ("practitioners",)},
    estimate=RequestEstimate(
        rule="as last time",
        shown_as="GET /clinic/*/resources",
        first_each="practitioner",
        first_besides=1,
        why="Fullscript's list and one for each of {each:,} practitioners",
    ),
    request_rules=(
        RequestRule(
            requests="GET /clinic/fullscript_resources, GET /clinic/practitioners/{id}/resources",
            number="one list, and one per practitioner",
            why="documents are listed per practitioner",
        ),
    ),
)
