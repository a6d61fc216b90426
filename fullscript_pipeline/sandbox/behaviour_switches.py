"""A switch for each choice that the documentation leaves open: how else the vendor's API might answer.

Which rows exist and what they say never changes with a variant, only how it is said. What does not belong here: faults
(`faults`), which are wrong answers, and the reshaping itself (`response_variants`).
"""

import re
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.pages import DEFAULT_SIZE, UTC_DAYS, DayRule

RESPONSE_VARIANTS = {
    "other_wrapper_keys": "lists and labs are wrapped under the other plausible keys",
    "thin_plan_rows": "plans in lists come without recommendations and resources",
    "thin_product_rows": "products in lists are id and name only",
    "thin_order_rows": "orders in lists come without line items",
    "thin_patient_rows": "patients in lists are id, names and e-mail only",
    "variant_ids_only": "products have variant_ids instead of variants",
    "product_id_left_out": "a product read by id does not repeat its id",
    "objects_for_ids": "what names a patient, plan, practitioner or variant by id holds an object with that id instead",
    "results_within_tests": "a lab's results are inside its tests",
    "primary_variant_only": "product search rows have primary_variant instead of variants",
    "nested_without_meta": "lists of one object have no meta and come whole",
    "nested_pages_without_meta": "lists of one object have no meta, but pages",
    "event_ids_only": "event lists hold ids and nothing else",
    "event_payload_wrapper": "an event is wrapped twice, as in a webhook",
    "bare_events": "an event is not wrapped at all",
    "feed_times_left_out": "events in lists have no created_at",
    "event_times_left_out": "events have no created_at, by id neither",
    "unnested_event_data": "what was nested in an event's data is not, and an order is",
    "string_booleans": '"true" and "false"',
    "string_numbers": "numbers as text, a token's expires_in too",
    "number_prices": "msrp as a number",
    "empty_strings": '"" for null',
    "fields_left_out": "some fields are left out where they are null or empty",
    "extra_keys": "keys nobody has documented, in records and in their parts",
    "unknown_words": "undocumented words for an order's state, a plan's source, a clinic's margin type",
    "lab_words_of_webhooks": "labs have the webhook's words for their states",
    "refund_as_status": "a refund shows as status: refunded",
    "refund_as_flag": "a refund shows as refunded: true",
    "refund_as_time": "a refund shows as refunded_at",
    "other_timestamps": "timestamps without milliseconds, UTC as +00:00",
    "spaced_timestamps": "timestamps as 2018-03-02 13:26:02 -0500, UTC as UTC",
    "other_ids": "longer ids, with a bar and capitals",
    "owner_clinic_id": "a token's resource_owner has a clinic_id",
    "refresh_token_kept": "a renewal brings no new refresh token: the old one stays",
    "missing_scope_401": "a scope that is missing is a 401, not a 403",
    "page_size_25": "pages have 25 rows unless asked otherwise",
    "empty_list_has_a_page": "total_pages of an empty list is 1",
    "filter_bounds_included": "<day and >day include the day",
    "filter_last_day_left_out": "day..day does not include its end",
    "filter_local_days": "date filters count days of the clinic's own time zone",
    "error_arrays": 'errors are {"errors": [{"code", "message"}]}',
    "error_objects": 'errors are {"error": {"code", "message"}}',
    "session_grant_200": "a session grant is answered 200, not 201",
    "bare_webhooks": 'a webhook\'s body is {"event": ...} without event_payload',
    "dependent_keys_left_out": "patients do not say whose dependents they are",
    "variant_product_name_only": "a variant's product is a name without an id",
}
# Only one of these at a time; `all` takes the first.
EXCLUSIVE_VARIANTS = (
    ("nested_pages_without_meta", "nested_without_meta"),
    ("event_payload_wrapper", "bare_events"),
    ("refund_as_time", "refund_as_flag", "refund_as_status"),
    ("other_timestamps", "spaced_timestamps"),
    ("error_arrays", "error_objects"),
)
# These hide a fact from anybody who does not look elsewhere, or change what a token is worth: chosen by name only.
NOT_IN_ALL = frozenset(
    {"dependent_keys_left_out", "variant_product_name_only", "feed_times_left_out", "event_times_left_out"}
    | {"refresh_token_kept", "missing_scope_401"}
)
PLAIN_ID = re.compile(rb"\b([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\b")
UNUSUAL_ID = re.compile(r"FS\|([0-9A-F]{8})([0-9A-F]{4})([0-9A-F]{4})([0-9A-F]{4})([0-9A-F]{12})~1")


def parse_variant_names(names: str | Iterable[str]) -> frozenset[str]:
    """Return the response variants of `all`, of a text with commas or of a list.

    Raises SandboxError for an unknown one, and for two that exclude each other.
    """
    words = names.split(",") if isinstance(names, str) else [str(word) for word in names]
    named = {word.strip().replace("-", "_") for word in words} - {""}
    if "all" in named:
        beaten = {name for rivals in EXCLUSIVE_VARIANTS for name in (rivals if named & {*rivals} else rivals[1:])}
        return (frozenset(RESPONSE_VARIANTS) - NOT_IN_ALL - beaten) | parse_variant_names(named - {"all"})
    if unknown := named - RESPONSE_VARIANTS.keys():
        raise SandboxError(
            f"There is no response variant {', '.join(sorted(unknown))}; there are all, {', '.join(RESPONSE_VARIANTS)}."
        )
    for rivals in EXCLUSIVE_VARIANTS:
        if len(both := [name for name in rivals if name in named]) > 1:
            raise SandboxError(f"The response variants {' and '.join(both)} exclude each other; choose one.")
    return frozenset(named)


class ResponseVariants:
    """The response variants that are on."""

    def __init__(self, names: str | Iterable[str] = "") -> None:
        """Raises SandboxError."""
        self.names = parse_variant_names(names)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __bool__(self) -> bool:
        return bool(self.names)

    @property
    def page_size(self) -> int:
        """Rows per page when the request names no page size."""
        return 25 if "page_size_25" in self else DEFAULT_SIZE

    def days(self, zone: ZoneInfo) -> DayRule:
        """How date filters work for a clinic of that time zone."""
        if not self.names:
            return UTC_DAYS
        return DayRule(
            zone if "filter_local_days" in self else UTC_DAYS.zone,
            bounds_included="filter_bounds_included" in self,
            last_day_left_out="filter_last_day_left_out" in self,
        )

    def replace_ids_in_answer(self, body: bytes) -> bytes:
        """A body with the ids as callers see them."""
        if "other_ids" not in self:
            return body
        return PLAIN_ID.sub(lambda match: b"FS|" + b"".join(match.groups()).upper() + b"~1", body)

    def restore_ids(self, text: str) -> str:
        """A path or an argument with the ids as the world knows them; ids of the plain form are unknown then."""
        if "other_ids" not in self:
            return text
        return UNUSUAL_ID.sub(
            lambda match: "-".join(match.groups()).lower(), PLAIN_ID.sub(b"plain-id", text.encode()).decode()
        )


def with_joined_variants(options: dict[str, Any]) -> dict[str, Any]:
    """Options with a list of response variants written as one text."""
    quirks = options.get("quirks")
    if quirks is None or isinstance(quirks, str):
        return options
    return options | {"quirks": ",".join(str(name) for name in quirks)}
