"""The versioned schema of the JSON Lines export: one object per change, with the contract's columns.

A new version gets a new number and a new file name; version 1 never changes. What does not belong here: writing lines
(formats.py).
"""

from typing import Any

from fullscript_pipeline.regions import REGIONS

JSONL_VERSION = 1

_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}

_PROPERTIES: dict[str, Any] = {
    "region": {"enum": list(REGIONS)},
    "changed_on": {
        "type": "string",
        "format": "date",
        "description": "the day an event tells, else the day first seen",
    },
    "entity": {**_TEXT, "description": "brand, product, variant, ingredient, ..."},
    "entity_id": _TEXT,
    "product_id": _TEXT_OR_NULL,
    "brand_id": _TEXT_OR_NULL,
    "change": {"enum": ["added", "removed", "returned", "changed"]},
    "field": {**_TEXT_OR_NULL, "description": "the vendor's path; null when the object itself came or went"},
    "old_value": _TEXT_OR_NULL,
    "new_value": _TEXT_OR_NULL,
    "cosmetic": {"type": "boolean", "description": "only the writing differs: space, case, entities, precision"},
    "active_plans": {
        "type": ["integer", "null"],
        "minimum": 0,
        "description": "active treatment plans that recommend it; null in shared files where they are 1 to 4",
    },
}

JSONL_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": f"urn:fullscript-pipeline:catalog-changes:v{JSONL_VERSION}",
    "title": f"A change of a catalog, version {JSONL_VERSION}",
    "type": "object",
    "properties": _PROPERTIES,
    "required": list(_PROPERTIES),
    "additionalProperties": False,
}
# The contract's columns, in its order.
JSONL_COLUMNS = tuple(_PROPERTIES)
