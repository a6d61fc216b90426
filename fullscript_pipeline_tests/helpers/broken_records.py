"""Ways to break a record, and the reason with which it goes to quarantine.

What does not belong here: fields that cannot be typed (`wrong_fields`).
"""

from collections.abc import Callable

from fullscript_pipeline_tests.helpers.warehouse_loads import Record

BROKEN: dict[str, tuple[Callable[[Record], Record], str]] = {
    "lone surrogate": (lambda one: one | {"zzz": "\ud800"}, "the record holds text that is not Unicode"),
    "too large": (lambda one: one | {"zzz": "x" * 2_200_000}, "the record is larger than 2 MiB"),
    "no id": (lambda one: {key: value for key, value in one.items() if key != "id"}, "the record has no id"),
    "no object": (lambda one: {"as_received": "null"}, "the record is not an object"),
}
