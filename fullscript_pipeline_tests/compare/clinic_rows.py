"""What the tables of one clinic should hold, made from raw answers only.

Each maker gives rows as dictionaries; the keys are the columns that are compared. What does not belong here: the
region's catalog (`region_rows`), reading the warehouse (`comparing`).
"""

from collections.abc import Iterable, Iterator

from fullscript_pipeline_tests.compare.content_rows import Rows, content_rows
from fullscript_pipeline_tests.compare.library_rows import (
    address_row,
    delivery_row,
    event_rows,
    library_rows,
    shelf_rows,
    template_row,
)
from fullscript_pipeline_tests.compare.values import day, instant, number, of, text, whole
from fullscript_pipeline_tests.compare.warehouse_rows import Api, Record


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
    rows |= (
        _plans(api, people) | _orders(api) | shelf_rows(api) | library_rows(api, [row["id"] for row in practitioners])
    )
    rows |= _labs(api) if region == "us" else {table: [] for table in LAB_TABLES}
    rows["webhook_deliveries"] = [delivery_row(row) for row in api.rows("/webhooks/deliveries")]
    rows["events"] = event_rows(api)
    if "addresses" in extras:
        rows["addresses"] = [
            address_row(one, row) for one in people for row in api.rows(f"/clinic/patients/{one}/addresses")
        ]
    if "templates" in extras:
        rows["templates"] = [
            template_row(row["id"], one)
            for row in practitioners
            for one in api.rows(f"/clinic/practitioners/{row['id']}/templates")
        ]
    if "custom_dosages" in extras:
        rows["custom_dosages"] = list(_custom_dosages(api, rows))
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
        **content_rows(
            plans, "treatment_plan_id", "recommendations", "treatment_plan_resources", "lab_recommendations"
        ),
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


def _custom_dosages(api: Api, rows: Rows) -> Iterator[Record]:
    """The dosages of practitioners for products that their plans or protocols recommend."""
    owners = {plan["treatment_plan_id"]: plan["practitioner_id"] for plan in rows["treatment_plans"]}
    owners |= {protocol["protocol_id"]: protocol["practitioner_id"] for protocol in rows["protocols"]}
    lines = [*rows["recommendations"], *rows["protocol_recommendations"]]
    recommended = {(owners[line.get("treatment_plan_id") or line["protocol_id"]], line["variant_id"]) for line in lines}
    variants = {variant: api.one(f"/catalog/variants/{variant}") for _, variant in recommended if variant}
    pairs = {(owner, of(variants.get(variant), "product", "id")) for owner, variant in recommended if owner}
    for owner, product in sorted((owner, product) for owner, product in pairs if product):
        dosage = (api.one(f"/catalog/products/{product}?practitioner_id={owner}") or {}).get("custom_dosage")
        if dosage:
            yield {"practitioner_id": owner, "product_id": product, **{key: text(word) for key, word in dosage.items()}}


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
