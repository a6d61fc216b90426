"""Ids of other systems on people and plans. What does not belong here: the people and plans themselves."""

from fullscript_pipeline.resources.types import (
    WHOLE_LIST,
    RequestRule,
    Resource,
    Table,
    list_of,
    scopes,
    text,
)

# One row per object that carries an id of another system (`external_id`); the same id may be on several objects.
EXTERNAL_IDS = Table(
    name="external_ids",
    scope="clinic",
    key=("entity_type", "entity_id"),
    columns=(text("external_id", "id"),),
    untyped=("data",),
)

EXTERNAL_IDS_RESOURCE = Resource(
    name="external_ids",
    texts={"external_ids": "Ids of other systems on people and plans."},
    tables=(EXTERNAL_IDS,),
    endpoints=(list_of("metadata", "/clinic/metadata", scopes.CLINIC, filters=("id", "type")),),
    group="clinical",
    contains_phi=True,
    made_from={"external_ids": ("patients", "practitioners", "staff")},
    estimate=WHOLE_LIST,
    request_rules=(
        RequestRule(
            requests="GET /clinic/metadata",
            number="all pages",
            why="external ids of the four types in one list",
        ),
    ),
)
