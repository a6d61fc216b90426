"""What practitioners and Fullscript keep for re-use, ids of other systems, addresses and webhook deliveries.

Protocols, resources and templates say by `owner` whose they are. What does not belong here: plans that were sent to
somebody (`clinic_tables.py`), the catalog (`catalog_tables.py`).
"""

from fullscript_pipeline.warehouse.schema.clinic_tables import lab_recommendations, recommendations, resources
from fullscript_pipeline.warehouse.schema.table_description import (
    Child,
    Column,
    Kind,
    Table,
    flag,
    ident,
    instant,
    integer,
    reference,
    text,
)

# What is listed under a practitioner has that practitioner as its parent; Fullscript's own has none.
_OWNER = Column("owner", sql="if(parent_id IS NULL, 'fullscript', 'practitioner')")

PROTOCOL_RECOMMENDATIONS = recommendations("protocol_recommendations", "protocol_id", history=False)
PROTOCOL_RESOURCES = resources("protocol_resources", "protocol_id", history=False)
PROTOCOL_LAB_RECOMMENDATIONS = lab_recommendations("protocol_lab_recommendations", "protocol_id", history=False)

PROTOCOLS = Table(
    "protocols",
    "clinic",
    key=("protocol_id",),
    columns=(
        _OWNER,
        text("name"),
        text("state", "current_state", "state"),
        reference("practitioner_id"),
        text("personal_message"),
    ),
    children=(
        Child(PROTOCOL_RECOMMENDATIONS, "recommendations", "protocol_id"),
        Child(PROTOCOL_RESOURCES, "resources", "protocol_id"),
        Child(PROTOCOL_LAB_RECOMMENDATIONS, "lab_recommendations", "protocol_id"),
    ),
    untyped=("practitioner",),
)

# Who is shown which: their own, and what others share with them.
PRACTITIONER_PROTOCOLS = Table(
    "practitioner_protocols",
    "clinic",
    key=("practitioner_id", "protocol_id"),
    columns=(Column("protocol_name", Kind.TEXT, ("name",)), text("ownership")),
)

TEMPLATES = Table(
    "templates",
    "clinic",
    key=("practitioner_id", "template_id"),
    columns=(
        text("name"),
        text("state", "current_state", "state"),
        ident("author_practitioner_id", "practitioner.id", "practitioner_id"),
        text("personal_message"),
    ),
    untyped=("practitioner", "recommendations", "resources", "lab_recommendations"),
)

RESOURCES = Table(
    "resources",
    "clinic",
    key=("resource_id",),
    columns=(_OWNER, text("name"), text("resource_type", "type"), text("category"), text("attachment_url")),
)

PRACTITIONER_RESOURCES = Table(
    "practitioner_resources",
    "clinic",
    key=("practitioner_id", "resource_id"),
    columns=(Column("resource_name", Kind.TEXT, ("name",)),),
)

# One row per object that carries an id of another system (`external_id`); the same id may be on several objects.
EXTERNAL_IDS = Table(
    "external_ids", "clinic", key=("entity_type", "entity_id"), columns=(text("external_id", "id"),), untyped=("data",)
)

# No key of an address is documented: likely spellings are typed, the rest stays in `extra`.
ADDRESSES = Table(
    "addresses",
    "clinic",
    key=("patient_id", "address_id"),
    columns=(
        text("first_name", "first_name", "firstname"),
        text("last_name", "last_name", "lastname"),
        text("address1"),
        text("address2"),
        text("city"),
        text("state", "state", "state_name"),
        text("zipcode", "zipcode", "zip"),
        text("country"),
        text("phone"),
    ),
)

WEBHOOK_DELIVERIES = Table(
    "webhook_deliveries",
    "clinic",
    key=("delivery_id",),
    columns=(
        text("event_id", "event_id", "event_payload.event.id"),
        text("event_type", "event_payload.event.type", "event_type"),
        instant("attempted_at"),
        Column("attempted_at_raw", source=("attempted_at",)),
        flag("successfully_delivered"),
        integer("attempts"),
        integer("response_status", "response_status", "status_code"),
        text("response_body"),
    ),
    untyped=("event_payload",),
)
