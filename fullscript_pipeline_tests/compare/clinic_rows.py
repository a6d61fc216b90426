"""What the tables of one clinic should hold, made from raw answers only.

Each maker gives rows as dictionaries; the keys are the columns that are compared. What does not belong here: the
region's catalog (`region_rows`), reading the warehouse (`comparing`).
"""

from collections.abc import Iterable
from typing import Any

from fullscript_pipeline_tests.compare.reading import Api, Record
from fullscript_pipeline_tests.compare.values import day, instant, number, of, text, whole

Rows = dict[str, list[dict[str, Any]]]


def clinic_rows(api: Api, region: str, extras: Iterable[str] = ()) -> Rows:
    """Every clinic table."""
    clinic = api.one("/clinic") or {}
    patients = api.rows("/clinic/patients", patient_type="all")
    practitioners = api.rows("/clinic/practitioners")
    rows: Rows = {
        "clinics": [_clinic(clinic, region)],
        "practitioners": [
            {"practitioner_id": row["id"], "practitioner_type_id": row.get("practitioner_type_id"), **_colleague(row)}
            for row in practitioners
        ],
        "staff": [{"staff_id": row["id"], **_colleague(row)} for row in api.rows("/clinic/staff")],
        "patients": [_patient(row) for row in patients],
    }
    people = [row["id"] for row in patients]
    rows |= _plans(api, people) | _orders(api) | _shelves(api) | _library(api, [row["id"] for row in practitioners])
    rows |= _labs(api) if region == "us" else {table: [] for table in LAB_TABLES}
    rows["webhook_deliveries"] = [_delivery(row) for row in api.rows("/webhooks/deliveries")]
    rows["events"] = _events(api)
    if "addresses" in extras:
        rows["addresses"] = [
            _address(one, row) for one in people for row in api.rows(f"/clinic/patients/{one}/addresses")
        ]
    if "templates" in extras:
        rows["templates"] = [
            _template(row["id"], one)
            for row in practitioners
            for one in api.rows(f"/clinic/practitioners/{row['id']}/templates")
        ]
    return {table: [{"clinic_id": clinic["id"], **row} for row in found] for table, found in rows.items()}


LAB_TABLES = ("lab_orders", "lab_order_tests", "lab_order_results", "lab_tests")


def _clinic(row: Record, region: str) -> Record:
    return {
        "region": region,
        "name": text(row["name"]),
        "patient_count": row["patient_count"],
        "practitioner_count": row["practitioner_count"],
        "discount": number(row["discount"]),
        "dispensary_url": text(row["dispensary_url"]),
        "integration_id": text(row["integration_id"]),
        "integration_activated_at": instant(row["integration_activated_at"]),
        "margin_type": text(row["margin_type"]),
    }


def _person(row: Record) -> Record:
    return {key: text(row.get(key)) for key in ("first_name", "last_name", "email")}


def _colleague(row: Record) -> Record:
    return {
        **_person(row),
        "invite_accepted": row.get("invite_accepted"),
        "external_id": text(of(row, "metadata", "id")),
    }


def _patient(row: Record) -> Record:
    return {
        "patient_id": row["id"],
        **_person(row),
        "date_of_birth": day(row["date_of_birth"]),
        "gender": text(row["gender"]),
        "archived": row["archived"],
        "is_dependent": row["is_dependent"],
        "guardian_patient_id": text(row["guardian_patient_id"]),
        "external_id": text(of(row, "metadata", "id")),
        "discount": number(row["discount"]),
        "total_discount": number(row["total_discount"]),
        "mobile_number": text(row["mobile_number"]),
        "text_message_notification": row["text_message_notification"],
    }


def _plans(api: Api, patients: Iterable[str]) -> Rows:
    plans = [row for one in patients for row in api.rows(f"/clinic/patients/{one}/treatment_plans")]
    return {
        "treatment_plans": [_plan(row) for row in plans],
        **_content(plans, "treatment_plan_id", "recommendations", "treatment_plan_resources", "lab_recommendations"),
    }


def _content(owners: list[Record], key: str, lines: str, documents: str, panels: str) -> Rows:
    """The arrays of plans or protocols."""
    return {
        lines: [_line(key, row, *one) for row in owners for one in enumerate(row.get("recommendations") or [])],
        documents: [
            {key: row["id"], "position": place, **_resource(one)}
            for row in owners
            for place, one in enumerate(row.get("resources") or [])
        ],
        panels: [_panel(key, row, *one) for row in owners for one in enumerate(row.get("lab_recommendations") or [])],
    }


def _plan(row: Record) -> Record:
    return {
        "treatment_plan_id": row["id"],
        "patient_id": row["patient"]["id"],
        "practitioner_id": of(row, "practitioner", "id"),
        "state": row["state"],
        "available_at": day(row["available_at"]),
        "created_at": instant(row["created_at"]),
        "created_on": day(row["created_at"]),
        "updated_at": instant(row["updated_at"]),
        "updated_on": day(row["updated_at"]),
        "personal_message": text(row["personal_message"]),
        "source": text(row["source"]),
        "external_id": text(of(row, "metadata", "id")),
    }


def _line(key: str, owner: Record, place: int, row: Record) -> Record:
    dosage = row.get("dosage") or {}
    return {
        key: owner["id"],
        "position": place,
        "variant_id": text(row["variant_id"]),
        "units_to_purchase": whole(row["units_to_purchase"]),
        "refill": row["refill"],
        "take_with": text(row["take_with"]),
        **{
            f"dosage_{name}": text(dosage.get(name))
            for name in ("amount", "frequency", "duration", "format", "additional_info")
        },
        "dosage_time_of_day": list(dosage.get("time_of_day") or []),
    }


def _panel(key: str, owner: Record, place: int, row: Record) -> Record:
    return {
        key: owner["id"],
        "position": place,
        "lab_recommendation_id": row["id"],
        "name": text(row["name"]),
        "requires_fasting": row["requires_fasting"],
        "instructions": text(row["instructions"]),
        "lab_test_ids": [test["id"] for test in row["tests"]],
        "lab_test_names": [test["name"] for test in row["tests"]],
    }


def _resource(row: Record) -> Record:
    return {
        "resource_id": row["id"],
        "name": text(row["name"]),
        "resource_type": text(row["type"]),
        "category": text(row["category"]),
        "attachment_url": text(row["attachment_url"]),
    }


def _orders(api: Api) -> Rows:
    orders = api.rows("/clinic/orders")
    return {
        "orders": [
            {
                "order_id": row["id"],
                "order_number": row["order_number"],
                "patient_id": row["patient_id"],
                "completed_at": instant(row["completed_at"]),
                "completed_on": day(row["completed_at"]),
                "treatment_plan_ids": row["treatment_plan_ids"],
                "is_refunded": row.get("state") == "refunded",
                "state": text(row.get("state")),
            }
            for row in orders
        ],
        "order_line_items": [
            {
                "order_id": row["id"],
                "position": place,
                "variant_id": text(line["variant_id"]),
                "quantity": whole(line["quantity"]),
                "line_type": text(line["type"]),
                "lab_type": text(line.get("lab_type")),
            }
            for row in orders
            for place, line in enumerate(row["line_items"])
        ],
    }


def _labs(api: Api) -> Rows:
    labs = [api.one(f"/clinic/labs/orders/{row['id']}") or {} for row in api.rows("/clinic/labs/orders")]
    tests = {test["id"]: api.one(f"/clinic/labs/tests/{test['id']}") for lab in labs for test in lab["tests"]}
    return {
        "lab_orders": [
            {
                "lab_order_id": lab["id"],
                **{key: text(lab.get(key)) for key in ("patient_id", "practitioner_id", "treatment_plan_id", "name")},
                "state": lab["state"],
            }
            for lab in labs
        ],
        "lab_order_tests": [
            {"lab_order_id": lab["id"], "position": place, "lab_test_id": test["id"], "name": test["name"]}
            for lab in labs
            for place, test in enumerate(lab["tests"])
        ],
        "lab_order_results": [
            {
                "lab_order_id": lab["id"],
                "position": place,
                "lab_result_id": result["id"],
                # The vendor's guide: the only test's name, else the order's, else the result's id.
                "name": lab["tests"][0]["name"] if len(lab["tests"]) == 1 else lab["name"] or result["id"],
                "state": text(result["state"]),
            }
            for lab in labs
            for place, result in enumerate(lab["results"])
        ],
        "lab_tests": [{"lab_test_id": test["id"], "name": test["name"]} for test in tests.values() if test],
    }


def _shelves(api: Api) -> Rows:
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


def _library(api: Api, practitioners: list[str]) -> Rows:
    shown = {one: api.rows(f"/clinic/practitioners/{one}/protocols", ownership_type="all") for one in practitioners}
    theirs = {row["id"]: row for found in shown.values() for row in found}
    common = api.rows("/clinic/fullscript_protocols")
    kept = {one: api.rows(f"/clinic/practitioners/{one}/resources") for one in practitioners}
    documents = [("practitioner", row) for found in kept.values() for row in found]
    documents += [("fullscript", row) for row in api.rows("/clinic/fullscript_resources")]
    return {
        "protocols": [_protocol("practitioner", row) for row in theirs.values()]
        + [_protocol("fullscript", row) for row in common],
        **_content(
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
        "resources": [{"owner": owner, **_resource(row)} for owner, row in documents],
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


def _template(practitioner: str, row: Record) -> Record:
    return {
        "practitioner_id": practitioner,
        "template_id": row["id"],
        "name": text(row["name"]),
        "state": text(row["current_state"]),
        "author_practitioner_id": text(of(row, "practitioner", "id")),
        "personal_message": text(row["personal_message"]),
    }


def _address(patient: str, row: Record) -> Record:
    keys = ("first_name", "last_name", "address1", "address2", "city", "state", "zipcode", "country", "phone")
    return {"patient_id": patient, "address_id": row["id"], **{key: text(row[key]) for key in keys}}


def _delivery(row: Record) -> Record:
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


def _events(api: Api) -> list[Record]:
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
