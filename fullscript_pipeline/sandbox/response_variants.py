"""Reshapes whole answers for the response variants that are on.

What does not belong here: which response variants there are (`behaviour_switches`).
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from zlib import crc32

from fullscript_pipeline.sandbox.behaviour_switches import ResponseVariants
from fullscript_pipeline.sandbox.labs import EVENT_STATUS
from fullscript_pipeline.sandbox.world import Record

PROTOCOLS = {"protocols": "fullscript_protocols"}
# Endpoint -> usual key -> the other plausible key.
ALTERNATIVE_KEYS = {
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
# Response variant -> which lists it makes thin, and which keys their rows keep.
LIST_KEY_RULES: dict[str, tuple[Callable[[str], bool], Callable[[str], bool]]] = {
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


def reshape_answer(variants: ResponseVariants, path: str, body: Record) -> Record:
    """A successful answer of the endpoint at `path`; its `meta` is left alone."""
    meta = body.pop("meta", None)
    listed = any(isinstance(content, list) for content in body.values())
    for change in (_drop_list_keys, _change_events, _change_refunds, _change_labs, _change_products, _drop_keys):
        body = {key: _change_rows(content, partial(change, variants, path, listed)) for key, content in body.items()}
    changes = _value_changes(variants)
    if "objects_for_ids" in variants and path.startswith("/clinic/"):
        changes.append(_objects_for_ids)
    for value_change in changes:
        body = {key: _change_deep(content, value_change) for key, content in body.items()}
    if "other_wrapper_keys" in variants:
        body = {ALTERNATIVE_KEYS.get(path, {}).get(key, key): content for key, content in body.items()}
    if path == "/events/{id}" and "event_payload_wrapper" in variants:
        body = {"event_payload": body}
    if path == "/events/{id}" and "bare_events" in variants:
        body = body["event"]
    if meta is not None and "empty_list_has_a_page" in variants:
        meta["total_pages"] = max(meta["total_pages"], 1)
    return body if meta is None else body | {"meta": meta}


def reshape_token(variants: ResponseVariants, body: Record, clinic_id: str) -> Record:
    """A successful answer of the token endpoint."""
    if oauth := body.get("oauth"):
        if "string_numbers" in variants:
            oauth["expires_in"] = str(oauth["expires_in"])
        if "owner_clinic_id" in variants:
            oauth["resource_owner"]["clinic_id"] = clinic_id
    return body


def reshape_error(variants: ResponseVariants, status: int, body: Record) -> Record:
    """An error in one of the shapes that public integrations allow for."""
    said = body["error"]
    sentences: list[str] = said if isinstance(said, list) else [str(body.get("error_description", said))]
    code = said if "error_description" in body else CODES.get(status, "error")
    if "error_arrays" in variants:
        return {"errors": [{"code": code, "message": sentence} for sentence in sentences]}
    if "error_objects" in variants:
        return {"error": {"code": code, "message": " ".join(sentences)}}
    return body


def _change_rows(content: Any, change: Callable[[Record], Record]) -> Any:
    if isinstance(content, list):
        return [change(row) for row in content]
    return change(content) if isinstance(content, dict) else content


def _change_deep(content: Any, change: Callable[[Record], Record]) -> Any:
    # Applies a change to every object, the inner ones first.
    if isinstance(content, list):
        return [_change_deep(part, change) for part in content]
    if isinstance(content, dict):
        return change({key: _change_deep(part, change) for key, part in content.items()})
    return content


def _drop_list_keys(variants: ResponseVariants, path: str, listed: bool, row: Record) -> Record:
    if not listed:
        return row
    for name, (concerns, keeps) in LIST_KEY_RULES.items():
        if name in variants and concerns(path):
            return {key: content for key, content in row.items() if keeps(key)}
    return row


def _change_events(variants: ResponseVariants, path: str, listed: bool, row: Record) -> Record:
    if not path.startswith("/events/"):
        return row
    if "event_times_left_out" in variants or (listed and "feed_times_left_out" in variants):
        row = {key: content for key, content in row.items() if key != "created_at"}
    if listed:
        return {"id": row["id"]} if "event_ids_only" in variants else row
    return unnest_event(row) if "unnested_event_data" in variants else row


def unnest_event(event: Record) -> Record:
    """An event whose data is nested the other way round."""
    event_data = event["data"]
    if event["type"] == "order.placed":
        return event | {"data": {"order": event_data}}
    inner = next((event_data[key] for key in NESTED_IN_EVENTS if key in event_data), None)
    return event | {"data": {"product": event_data} if inner is None else inner}


def _change_refunds(variants: ResponseVariants, path: str, listed: bool, row: Record) -> Record:
    if "completed_at" not in row or not {"refund_as_status", "refund_as_flag", "refund_as_time"} & variants.names:
        return row
    stateless = {key: content for key, content in row.items() if key != "state"}
    is_refunded = row.get("state") == "refunded"
    if "refund_as_status" in variants:
        return stateless | {"status": row.get("state")}
    if "refund_as_flag" in variants:
        return stateless | {"refunded": is_refunded}
    return stateless | {"refunded_at": row["completed_at"] if is_refunded else None}


def _change_labs(variants: ResponseVariants, path: str, listed: bool, row: Record) -> Record:
    if not path.startswith("/clinic/labs/orders"):
        return row
    if "lab_words_of_webhooks" in variants:
        row = row | {"state": EVENT_STATUS.get(row["state"], row["state"])}
    if "results_within_tests" in variants and row.get("tests"):
        first, *others = row["tests"]
        without_results = {key: content for key, content in row.items() if key != "results"}
        row = without_results | {"tests": [first | {"results": row["results"]}, *others]}
    return row


def _change_products(variants: ResponseVariants, path: str, listed: bool, row: Record) -> Record:
    if path not in PRODUCTS:
        return row
    gone = {"id"} if "product_id_left_out" in variants and not listed else set()
    if "variant_ids_only" in variants and "variants" in row:
        gone |= {"variants"}
        row = row | {"variant_ids": [variant["id"] for variant in row["variants"]]}
    return {key: content for key, content in row.items() if key not in gone}


def _drop_keys(variants: ResponseVariants, path: str, listed: bool, row: Record) -> Record:
    gone: set[str] = set()
    if "dependent_keys_left_out" in variants and path.startswith("/clinic/") and "is_dependent" in row:
        gone = {"is_dependent", "guardian_patient_id"}
    row = {key: content for key, content in row.items() if key not in gone}
    if "variant_product_name_only" in variants and path == "/catalog/variants/{id}":
        row["product"] = {"name": row["product"]["name"]}
    return row


def _value_changes(variants: ResponseVariants) -> list[Callable[[Record], Record]]:
    changes: dict[str, Callable[[Record], Record]] = {
        "unknown_words": _replace_enum_words,
        "fields_left_out": _drop_empty_fields,
        "empty_strings": lambda row: {key: "" if value is None else value for key, value in row.items()},
        "other_timestamps": _shorten_timestamps,
        "spaced_timestamps": _space_timestamps,
        "number_prices": _number_prices,
        "string_booleans": lambda row: {
            key: str(value).lower() if isinstance(value, bool) else value for key, value in row.items()
        },
        "string_numbers": _string_numbers,
        "extra_keys": lambda row: row | {"x_internal": {"score": 0.5, "flags": [None]}, "legacy_reference": 12},
    }
    return [change for name, change in changes.items() if name in variants]


def _replace_enum_words(row: Record) -> Record:
    return {
        key: WORDS[key].get(word, word) if key in WORDS and isinstance(word, str) else word for key, word in row.items()
    }


def _drop_empty_fields(row: Record) -> Record:
    # About half of what is null or an empty list, always the same for the same record.
    salt = str(row.get("id", ""))
    return {
        key: content
        for key, content in row.items()
        if (content is not None and content != []) or crc32(f"{salt}{key}".encode()) % 2
    }


def _objects_for_ids(row: Record) -> Record:
    reshaped_row: Record = {}
    for key, content in row.items():
        if key in REFERENCES:
            reshaped_row[key.removesuffix("_id")] = {"id": content} if content else None
        elif key == "treatment_plan_ids":
            reshaped_row["treatment_plans"] = [{"id": plan_id} for plan_id in content]
        else:
            reshaped_row[key] = content
    return reshaped_row


def _space_timestamps(row: Record) -> Record:
    def changed(text: Any) -> Any:
        if not isinstance(text, str) or not TIMESTAMP.fullmatch(text):
            return text
        return f"{text[:10]} {text[11:19]} " + ("UTC" if text.endswith("Z") else text[-6:].replace(":", ""))

    return {key: changed(text) for key, text in row.items()}


def _shorten_timestamps(row: Record) -> Record:
    def changed(text: Any) -> Any:
        if not isinstance(text, str) or len(text) < 24 or text[10] != "T" or text[19:23] != ".000":
            return text
        return text[:19] + ("+00:00" if text[23:] == "Z" else text[23:])

    return {key: changed(text) for key, text in row.items()}


def _number_prices(row: Record) -> Record:
    return row | {"msrp": float(row["msrp"])} if isinstance(row.get("msrp"), str) else row


def _string_numbers(row: Record) -> Record:
    def changed(key: str, number: Any) -> Any:
        plain = isinstance(number, int | float) and not isinstance(number, bool) and key != "msrp"
        return str(number) if plain else number

    return {key: changed(key, number) for key, number in row.items()}
