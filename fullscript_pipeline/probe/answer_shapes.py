"""Reduces records to their shape: names of keys, types, forms. No value, no id and no name gets out of here.

A key is named if the documentation has it; another one only if it is a plain lower-case word that most records share,
since a key can be a value too (an id, an e-mail address). What does not belong here: judging a shape (`judges_*`).
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from fullscript_pipeline.api.description import Shape, load_description, shape_at
from fullscript_pipeline.probe.probe_report import SeenKey, SeenRecords

Rows = Sequence[Mapping[str, Any]]

_TYPE_NAMES = {str: "text", bool: "boolean", int: "integer", float: "number", type(None): "null", list: "list",
               dict: "object"}  # fmt: skip
_PLAIN_KEY = re.compile(r"[a-z]{2,}(_[a-z]{1,}){0,5}")
_FORMS = (
    ("uuid", re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    ("digits", re.compile(r"\d+")),
    ("decimal", re.compile(r"-?\d+\.\d+")),
    ("true or false", re.compile(r"true|false")),
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|UTC|[-+]\d\d:?\d\d)?)?")
# What webhooks call states of a lab order that the REST answers name otherwise.
WEBHOOK_LAB_WORDS = frozenset({"results_received", "all_results_received"})
# Keys that public integrations name for what the documentation calls otherwise.
ALTERNATIVE_KEYS = frozenset({"variant_ids", "status", "refunded", "refunded_at", "primary_variant", "event_payload",
                              "treatment_plans", "patient", "practitioner", "treatment_plan", "variant",
                              "guardian_patient", "practitioner_type", "results"})  # fmt: skip


def shape_of(endpoint_name: str, rows: Rows) -> SeenRecords:
    """The shape of an endpoint's records. For an endpoint that is not described, only the plain rule counts."""
    return _records(rows, shape_at(endpoint_name), depth=0)


def is_plain_key(key: str) -> bool:
    """Whether the file may name this key of an answer: the documentation has it, or it is a plain lower-case word."""
    return key in documented_keys() or bool(len(key) <= 40 and _PLAIN_KEY.fullmatch(key))


@cache
def documented_keys() -> frozenset[str]:
    """Every key that the documentation has, of whatever object, wrappers included."""
    description = load_description()
    schemas = description["components"]["schemas"]
    keys = {key for schema in schemas.values() for key in schema.get("properties", ())}
    return frozenset(keys | schemas.keys() | ALTERNATIVE_KEYS)


def text_form(text: str) -> str:
    """The form of a text: `uuid`, `digits`, a time with 0 for each digit, or just `text`."""
    if _TIME.fullmatch(text):
        return re.sub(r"\d", "0", text)
    return next((name for name, pattern in _FORMS if pattern.fullmatch(text)), "text")


def _records(rows: Rows, shape: Shape | None, *, depth: int) -> SeenRecords:
    known = shape.keys if shape else frozenset()
    counts = Counter(key for row in rows for key in row)
    named = [key for key, count in counts.items() if key in known or _is_structural(key, count, len(rows))]
    keys = {key: _key(key, rows, shape, depth=depth) for key in sorted(named)}
    return SeenRecords(count=len(rows), keys=keys, unnamed_keys=len(counts) - len(named))


def _is_structural(key: str, count: int, rows: int) -> bool:
    """Whether a key that the object is not described with is part of a shape: most records have it."""
    return key in documented_keys() or (is_plain_key(key) and rows >= 2 and count * 2 > rows)


def _key(key: str, rows: Rows, shape: Shape | None, *, depth: int) -> SeenKey:
    values = [row[key] for row in rows if key in row]
    texts = [value for value in values if isinstance(value, str)]
    allowed = _words_of(shape, key) if shape else set()
    words = {text.lower() for text in texts if text} if allowed else set()
    inner = [*[value for value in values if isinstance(value, dict)]]
    inner += [part for value in values if isinstance(value, list) for part in value if isinstance(part, dict)]
    below = shape.nested.get(key) if shape else None
    return SeenKey(
        types=sorted({_TYPE_NAMES.get(type(value), "other") for value in values}),
        lacking=len(rows) - len(values),
        nulls=sum(value is None for value in values),
        empty=sum(value == "" for value in values),
        forms=sorted({text_form(text) for text in texts if text}),
        words=sorted(words & allowed),
        other_words=len(words - allowed),
        inside=_records(inner, below, depth=depth + 1) if inner and depth < 4 else None,
    )


def _words_of(shape: Shape, key: str) -> set[str]:
    """The documented words of a key, in lower case; a lab order's state may have the webhook's words too."""
    words = {word.lower() for word in shape.words.get(key, ())}
    return words | WEBHOOK_LAB_WORDS if (shape.name, key) == ("lab_order", "state") else words
