"""What the library tables of one clinic should hold, its shelves, deliveries and events, made from raw answers only."""

from fullscript_pipeline_tests.compare.content_rows import Rows, content_rows, resource_row
from fullscript_pipeline_tests.compare.values import day, instant, of, text, whole
from fullscript_pipeline_tests.compare.warehouse_rows import Api, Record


def shelf_rows(api: Api) -> Rows:
    categories = api.rows("/clinic/categories")
    return {
        "categories": [{"category_id": row["id"], "name": row["name"]} for row in categories],
        "category_products": [
            {"category_id": row["id"], "product_id": product["id"], "product_name": product["name"]}
            for row in categories
            for product in api.rows(f"/clinic/categories/{row['id']}/products")
        ],
        "clinic_brands": [
            {"brand_id": row["id"], "brand_name": row["name"]}
            for row in api.rows("/catalog/brands", clinic_permitted="true")
        ],
    }


def library_rows(api: Api, practitioners: list[str]) -> Rows:
    shown = {one: api.rows(f"/clinic/practitioners/{one}/protocols", ownership_type="all") for one in practitioners}
    theirs = {row["id"]: row for found in shown.values() for row in found}
    common = api.rows("/clinic/fullscript_protocols")
    kept = {one: api.rows(f"/clinic/practitioners/{one}/resources") for one in practitioners}
    documents = [("practitioner", row) for found in kept.values() for row in found]
    documents += [("fullscript", row) for row in api.rows("/clinic/fullscript_resources")]
    return {
        "protocols": [_protocol("practitioner", row) for row in theirs.values()]
        + [_protocol("fullscript", row) for row in common],
        **content_rows(
            [*theirs.values(), *common],
            "protocol_id",
            "protocol_recommendations",
            "protocol_resources",
            "protocol_lab_recommendations",
        ),
        "practitioner_protocols": [
            {
                "practitioner_id": one,
                "protocol_id": row["id"],
                "protocol_name": row["name"],
                "ownership": "owned" if row["practitioner"]["id"] == one else "shared",
            }
            for one, found in shown.items()
            for row in found
        ],
        "resources": [{"owner": owner, **resource_row(row)} for owner, row in documents],
        "practitioner_resources": [
            {"practitioner_id": one, "resource_id": row["id"], "resource_name": row["name"]}
            for one, found in kept.items()
            for row in found
        ],
        "external_ids": [
            {"entity_type": row["type"], "entity_id": row["data"]["id"], "external_id": row["id"]}
            for row in api.rows("/clinic/metadata")
        ],
    }


def _protocol(owner: str, row: Record) -> Record:
    return {
        "protocol_id": row["id"],
        "owner": owner,
        "name": text(row["name"]),
        "state": text(row["current_state"]),
        "practitioner_id": text(of(row, "practitioner", "id")),
        "personal_message": text(row["personal_message"]),
    }


def template_row(practitioner: str, row: Record) -> Record:
    return {
        "practitioner_id": practitioner,
        "template_id": row["id"],
        "name": text(row["name"]),
        "state": text(row["current_state"]),
        "author_practitioner_id": text(of(row, "practitioner", "id")),
        "personal_message": text(row["personal_message"]),
    }


def address_row(patient: str, row: Record) -> Record:
    keys = ("first_name", "last_name", "address1", "address2", "city", "state", "zipcode", "country", "phone")
    return {"patient_id": patient, "address_id": row["id"], **{key: text(row[key]) for key in keys}}


def delivery_row(row: Record) -> Record:
    return {
        "clinic_id": of(row, "event_payload", "event", "clinic_id"),
        "delivery_id": row["id"],
        "event_id": row["event_id"],
        "event_type": of(row, "event_payload", "event", "type"),
        "attempted_at": instant(row["attempted_at"]),
        "successfully_delivered": row["successfully_delivered"],
        "attempts": whole(row.get("attempts")),
        "response_status": whole(row.get("response_status")),
        "response_body": text(row.get("response_body")),
    }


def event_rows(api: Api) -> list[Record]:
    feeds = ("patients", "treatment_plans", "orders", "products", "clinic_keys", "lab_orders")
    return [
        {
            "event_id": row["id"],
            "event_type": row["type"],
            "created_at": instant(row["created_at"]),
            "created_on": day(row["created_at"]),
            # Events of the catalog name no clinic.
            "clinic_id": row.get("clinic_id"),
        }
        for feed in feeds
        for row in api.rows(f"/events/{feed}")
    ]
