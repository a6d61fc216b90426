"""Makes `shapes.json` from `openapi.yaml`: `python -m fullscript_pipeline.api.description.build_shapes`.

A test holds them equal. Reading the YAML takes 0.1 s of CPU, which every run would pay. What does not belong here:
reading the result (`shapes`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from fullscript_pipeline.api.description import load_description, object_at
from fullscript_pipeline.api.description.shapes import FILE, TYPES
from fullscript_pipeline.api.endpoints import ENDPOINTS


def build_shapes() -> dict[str, Any]:
    """The content of `shapes.json`."""
    schemas: dict[str, dict[str, Any]] = load_description()["components"]["schemas"]
    return {
        "endpoints": {name: object_at(endpoint.path) for name, endpoint in ENDPOINTS.items()},
        "objects": {
            name: {key: _property(described) for key, described in schema["properties"].items()}
            for name, schema in schemas.items()
            if "properties" in schema
        },
    }


def _property(described: Mapping[str, Any]) -> dict[str, Any]:
    """The types of a key, its nested object and its known words; empty parts are left out."""
    options = described.get("anyOf", [described])
    types = [kind for option in options for kind in _types(option)]
    below = [_below(option) for option in options if _below(option)]
    unsure = described.get("x-secret") or described.get("x-may-be-missing")
    sure = described["x-source"] == "documented" and "null" not in types and not unsure
    shape = {
        "types": types,
        "sure": sure,
        "object": below[0] if below else None,
        "words": sorted(word.lower() for word in described.get("x-known-words", ())),
        "time": described.get("format") == "date-time",
    }
    return {key: content for key, content in shape.items() if content}


def _types(option: Mapping[str, Any]) -> list[str]:
    if "$ref" in option:
        return ["object"]
    kind = option.get("type", list(TYPES))
    return [kind] if isinstance(kind, str) else list(kind)


def _below(option: Mapping[str, Any]) -> str:
    return str(option.get("$ref") or option.get("items", {}).get("$ref", "")).rpartition("/")[2]


if __name__ == "__main__":
    Path(__file__).with_name(FILE).write_bytes(orjson.dumps(build_shapes(), option=orjson.OPT_INDENT_2) + b"\n")
