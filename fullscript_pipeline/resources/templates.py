"""Templates, which the vendor is replacing by protocols: on request only. What does not belong here: protocols."""

from fullscript_pipeline.resources.types import (
    ON_REQUEST,
    RequestEstimate,
    Resource,
    Table,
    detail,
    ident,
    nested_list,
    scopes,
    text,
)

TEMPLATES = Table(
    name="templates",
    scope="clinic",
    key=("practitioner_id", "template_id"),
    columns=(
        text("name"),
        text("state", "current_state", "state"),
        ident("author_practitioner_id", "practitioner.id", "practitioner_id"),
        text("personal_message"),
    ),
    untyped=("practitioner", "recommendations", "resources", "lab_recommendations"),
)

TEMPLATES_RESOURCE = Resource(
    name="templates",
    texts={"templates": "Templates, which the vendor is replacing by protocols."},
    tables=(TEMPLATES,),
    endpoints=(
        nested_list("practitioner_templates", "/clinic/practitioners/{practitioner_id}/templates", scopes.CLINIC),
        detail("template", "/clinic/templates/{id}", scopes.CLINIC),
    ),
    group="clinical",
    contains_phi=False,
    cadence=f"{ON_REQUEST}: daily",
    made_from={"templates": ("practitioners",)},
    option="templates",
    estimate=RequestEstimate(
        rule="as last time",
        shown_as="GET /clinic/practitioners/{id}/templates",
        first_each="practitioner",
        why="one for each practitioner",
    ),
)
