"""Reshapes whole answers for the quirks that are on.

What does not belong here: which quirks there are (`behaviour_switches`).
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from zlib import crc32

from fullscript_pipeline.sandbox.behaviour_switches import Quirks
from fullscript_pipeline.sandbox.labs import EVENT_STATUS
from fullscript_pipeline.sandbox.world import Record

PROTOCOLS = {"protocols": "fullscript_protocols"}
# Endpoint -> usual key -> the other plausible key.
OTHER_KEYS = {
    "/clinic/staff": {"staff": "staff_members"},
    "/clinic/staff/{id}": {"staff": "staff_member"},
    "/clinic/patients/{patient_id}/dependents": {"patients": "dependents"},
    "/clinic/patients/{patient_id}/orders": {"orders": "patient_orders"},
    "/clinic/fullscript_protocols": PROTOCOLS,
    "/clinic/practitioners/{practitioner_id}/protocols": {"protocols": "practitioner_protocols"},
    "/clinic/fullscript_resources": {"resources": "fullscript_resources"},
    "/clinic/labs/orders": {"orders": "lab_orders"},
    "/clinic/labs/orders/{id}": {"order": "lab_order"},
    "/clinic/labs/tests/{id}": {"test": "lab_test"},
    "/clinic/categories/{category_id}/products": {"products": "category_products"},
    "/webhooks/deliveries": {"webhook_deliveries": "deliveries"},
}
PRODUCTS = frozenset({"/catalog/products/{id}", "/catalog/products", "/clinic/categories/{category_id}/products"})
REFERENCES = frozenset(
    {"patient_id", "guardian_patient_id", "practitioner_id", "practitioner_type_id", "treatment_plan_id", "variant_id"}
)
PLAN_EXTRAS = ("recommendations", "resources", "lab_recommendations", "personal_message")
PATIENT_KEYS = ("id", "first_name", "last_name", "email")
ORDER_LISTS = frozenset({"/clinic/orders", "/clinic/patients/{patient_id}/orders"})
# Quirk -> which lists it makes thin, and which keys their rows keep.
THIN: dict[str, tuple[Callable[[str], bool], Callable[[str], bool]]] = {
    "thin_plan_rows": (lambda path: path.endswith("}/treatment_plans"), lambda key: key not in PLAN_EXTRAS),
    "thin_order_rows": (ORDER_LISTS.__contains__, lambda key: key != "line_items"),
    "thin_patient_rows": (
        frozenset({"/clinic/patients", "/clinic/search/patients"}).__contains__,
        PATIENT_KEYS.__contains__,
    ),
    "thin_product_rows": (
        frozenset({"/clinic/categories/{category_id}/products", "/catalog/products"}).__contains__,
        lambda key: key in {"id", "name"},
    ),
    "primary_variant_only": (lambda path: path == "/catalog/search/products", lambda key: key != "variants"),
}
NESTED_IN_EVENTS = ("patient", "treatment_plan", "lab_order", "product", "clinic_key")
WORDS = {
    "state": {"complete": "settled_in_full"},
    "source": {"app": "companion_app", "api": "partner_api"},
    "margin_type": {"profit": "profit_plus", "no_profit": "pass_through"},
}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.]000(Z|[-+]\d\d:\d\d)")
CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 422: "unprocessable", 429: "rate"}


def reshaped(quirks: Quirks, path: str, body: Record) -> Record:
    """A successful answer of the endpoint at `path`; its `meta` is left alone."""
    meta = body.pop("meta", None)
    listed = any(isinstance(value, list) for value in body.values())
    for change in (_thin, _events, _refunds, _labs, _products, _keys_left_out):
        body = {key: _each(value, partial(change, quirks, path, listed)) for key, value in body.items()}
    changes = _value_changes(quirks)
    if "objects_for_ids" in quirks and path.startswith("/clinic/"):
        changes.append(_objects_for_ids)
    for value_change in changes:
        body = {key: _deep(value, value_change) for key, value in body.items()}
    if "other_wrapper_keys" in quirks:
        body = {OTHER_KEYS.get(path, {}).get(key, key): value for key, value in body.items()}
    if path == "/events/{id}" and "event_payload_wrapper" in quirks:
        body = {"event_payload": body}
    if path == "/events/{id}" and "bare_events" in quirks:
        body = body["event"]
    if meta is not None and "empty_list_has_a_page" in quirks:
        meta["total_pages"] = max(meta["total_pages"], 1)
    return body if meta is None else body | {"meta": meta}


def reshaped_token(quirks: Quirks, body: Record, clinic_id: str) -> Record:
    """A successful answer of the token endpoint."""
    if oauth := body.get("oauth"):
        if "string_numbers" in quirks:
            oauth["expires_in"] = str(oauth["expires_in"])
        if "owner_clinic_id" in quirks:
            oauth["resource_owner"]["clinic_id"] = clinic_id
    return body


def reshaped_error(quirks: Quirks, status: int, body: Record) -> Record:
    """An error in one of the shapes that public integrations allow for."""
    said = body["error"]
    sentences: list[str] = said if isinstance(said, list) else [str(body.get("error_description", said))]
    code = said if "error_description" in body else CODES.get(status, "error")
    if "error_arrays" in quirks:
        return {"errors": [{"code": code, "message": sentence} for sentence in sentences]}
    if "error_objects" in quirks:
        return {"error": {"code": code, "message": " ".join(sentences)}}
    return body


def _each(value: Any, change: Callable[[Record], Record]) -> Any:
    if isinstance(value, list):
        return [change(row) for row in value]
    return change(value) if isinstance(value, dict) else value


def _deep(value: Any, change: Callable[[Record], Record]) -> Any:
    # Applies a change to every object, the inner ones first.
    if isinstance(value, list):
        return [_deep(one, change) for one in value]
    if isinstance(value, dict):
        return change({key: _deep(one, change) for key, one in value.items()})
    return value


def _thin(quirks: Quirks, path: str, listed: bool, row: Record) -> Record:
    if not listed:
        return row
    for name, (wanted, kept) in THIN.items():
        if name in quirks and wanted(path):
            return {key: value for key, value in row.items() if kept(key)}
    return row


def _events(quirks: Quirks, path: str, listed: bool, row: Record) -> Record:
    if not path.startswith("/events/"):
        return row
    if "event_times_left_out" in quirks or (listed and "feed_times_left_out" in quirks):
        row = {key: value for key, value in row.items() if key != "created_at"}
    if listed:
        return {"id": row["id"]} if "event_ids_only" in quirks else row
    return unnested(row) if "unnested_event_data" in quirks else row


def unnested(event: Record) -> Record:
    """An event whose data is nested the other way round."""
    data = event["data"]
    if event["type"] == "order.placed":
        return event | {"data": {"order": data}}
    inner = next((data[key] for key in NESTED_IN_EVENTS if key in data), None)
    return event | {"data": {"product": data} if inner is None else inner}


def _refunds(quirks: Quirks, path: str, listed: bool, row: Record) -> Record:
    if "completed_at" not in row or not {"refund_as_status", "refund_as_flag", "refund_as_time"} & quirks.names:
        return row
    kept = {key: value for key, value in row.items() if key != "state"}
    gone = row.get("state") == "refunded"
    if "refund_as_status" in quirks:
        return kept | {"status": row.get("state")}
    if "refund_as_flag" in quirks:
        return kept | {"refunded": gone}
    return kept | {"refunded_at": row["completed_at"] if gone else None}


def _labs(quirks: Quirks, path: str, listed: bool, row: Record) -> Record:
    if not path.startswith("/clinic/labs/orders"):
        return row
    if "lab_words_of_webhooks" in quirks:
        row = row | {"state": EVENT_STATUS.get(row["state"], row["state"])}
    if "results_within_tests" in quirks and row.get("tests"):
        first, *others = row["tests"]
        kept = {key: value for key, value in row.items() if key != "results"}
        row = kept | {"tests": [first | {"results": row["results"]}, *others]}
    return row


def _products(quirks: Quirks, path: str, listed: bool, row: Record) -> Record:
    if path not in PRODUCTS:
        return row
    gone = {"id"} if "product_id_left_out" in quirks and not listed else set()
    if "variant_ids_only" in quirks and "variants" in row:
        gone |= {"variants"}
        row = row | {"variant_ids": [variant["id"] for variant in row["variants"]]}
    return {key: value for key, value in row.items() if key not in gone}


def _keys_left_out(quirks: Quirks, path: str, listed: bool, row: Record) -> Record:
    gone: set[str] = set()
    if "dependent_keys_left_out" in quirks and path.startswith("/clinic/") and "is_dependent" in row:
        gone = {"is_dependent", "guardian_patient_id"}
    row = {key: value for key, value in row.items() if key not in gone}
    if "variant_product_name_only" in quirks and path == "/catalog/variants/{id}":
        row["product"] = {"name": row["product"]["name"]}
    return row


def _value_changes(quirks: Quirks) -> list[Callable[[Record], Record]]:
    changes: dict[str, Callable[[Record], Record]] = {
        "unknown_words": _other_words,
        "fields_left_out": _left_out,
        "empty_strings": lambda row: {key: "" if value is None else value for key, value in row.items()},
        "other_timestamps": _other_times,
        "spaced_timestamps": _spaced_times,
        "number_prices": _number_prices,
        "string_booleans": lambda row: {
            key: str(value).lower() if isinstance(value, bool) else value for key, value in row.items()
        },
        "string_numbers": _string_numbers,
        "extra_keys": lambda row: row | {"x_internal": {"score": 0.5, "flags": [None]}, "legacy_reference": 12},
    }
    return [change for name, change in changes.items() if name in quirks]


def _other_words(row: Record) -> Record:
    return {
        key: WORDS[key].get(value, value) if key in WORDS and isinstance(value, str) else value
        for key, value in row.items()
    }


def _left_out(row: Record) -> Record:
    # About half of what is null or an empty list, always the same for the same record.
    salt = str(row.get("id", ""))
    return {
        key: value
        for key, value in row.items()
        if (value is not None and value != []) or crc32(f"{salt}{key}".encode()) % 2
    }


def _objects_for_ids(row: Record) -> Record:
    told: Record = {}
    for key, value in row.items():
        if key in REFERENCES:
            told[key.removesuffix("_id")] = {"id": value} if value else None
        elif key == "treatment_plan_ids":
            told["treatment_plans"] = [{"id": one} for one in value]
        else:
            told[key] = value
    return told


def _spaced_times(row: Record) -> Record:
    def changed(value: Any) -> Any:
        if not isinstance(value, str) or not TIMESTAMP.fullmatch(value):
            return value
        return f"{value[:10]} {value[11:19]} " + ("UTC" if value.endswith("Z") else value[-6:].replace(":", ""))

    return {key: changed(value) for key, value in row.items()}


def _other_times(row: Record) -> Record:
    def changed(value: Any) -> Any:
        if not isinstance(value, str) or len(value) < 24 or value[10] != "T" or value[19:23] != ".000":
            return value
        return value[:19] + ("+00:00" if value[23:] == "Z" else value[23:])

    return {key: changed(value) for key, value in row.items()}


def _number_prices(row: Record) -> Record:
    return row | {"msrp": float(row["msrp"])} if isinstance(row.get("msrp"), str) else row


def _string_numbers(row: Record) -> Record:
    def changed(key: str, value: Any) -> Any:
        plain = isinstance(value, int | float) and not isinstance(value, bool) and key != "msrp"
        return str(value) if plain else value

    return {key: changed(key, value) for key, value in row.items()}
