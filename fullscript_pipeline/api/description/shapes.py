"""The description boiled down to what a comparison of answers needs: per object its keys, their types and known words.

`shapes.json` is made from `openapi.yaml` by `python -m fullscript_pipeline.api.description.shapes` (a test holds them
equal): reading the YAML takes 0.1 s of CPU, which every run would pay. What does not belong here: comparing
(`differences`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from fullscript_pipeline.api.description import load_description, object_at
from fullscript_pipeline.api.endpoints import ENDPOINTS

FILE = "shapes.json"
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


@dataclass(frozen=True)
class Shape:
    """What an object looks like. `sure`: documented keys that are never null; `whole`: those of them that hold a list
    or an object, which rows of a list may lack. `pairs`: each key with each type it may have. `words`: of keys that
    hold one of a few words. `times`: keys that hold an instant. `nested`: the shapes below a key.
    """

    name: str
    keys: frozenset[str]
    sure: frozenset[str]
    whole: frozenset[str]
    pairs: frozenset[tuple[str, type]]
    words: Mapping[str, frozenset[str]]
    times: tuple[str, ...]
    nested: Mapping[str, "Shape"]


@cache
def shape_at(endpoint: str) -> Shape:
    """The shape of the objects that an endpoint answers. Raises KeyError for an endpoint that is not described."""
    made = _made()
    return _shape(made["endpoints"][endpoint])


@cache
def _shape(name: str) -> Shape:
    properties: dict[str, dict[str, Any]] = _made()["objects"][name]
    return Shape(
        name=name,
        keys=frozenset(properties),
        sure=frozenset(key for key, its in properties.items() if its.get("sure")),
        whole=frozenset(key for key, its in properties.items() if {"array", "object"} & set(its["types"])),
        pairs=frozenset((key, one) for key, its in properties.items() for name in its["types"] for one in TYPES[name]),
        words={key: frozenset(its["words"]) for key, its in properties.items() if "words" in its},
        times=tuple(key for key, its in properties.items() if its.get("time")),
        nested={key: _shape(its["object"]) for key, its in properties.items() if "object" in its},
    )


@cache
def _made() -> dict[str, Any]:
    return dict(orjson.loads(files(__package__).joinpath(FILE).read_bytes()))


def make() -> dict[str, Any]:
    """The content of `shapes.json`."""
    schemas: dict[str, dict[str, Any]] = load_description()["components"]["schemas"]
    return {
        "endpoints": {name: object_at(endpoint.path) for name, endpoint in ENDPOINTS.items()},
        "objects": {
            name: {key: _property(its) for key, its in schema["properties"].items()}
            for name, schema in schemas.items()
            if "properties" in schema
        },
    }


def _property(its: Mapping[str, Any]) -> dict[str, Any]:
    """A key's types, the object below it, its words; nothing that is empty."""
    options = its.get("anyOf", [its])
    types = [one for option in options for one in _types(option)]
    below = [_below(option) for option in options if _below(option)]
    sure = its["x-source"] == "documented" and "null" not in types and not its.get("x-secret")
    made = {
        "types": types,
        "sure": sure,
        "object": below[0] if below else None,
        "words": sorted(word.lower() for word in its.get("x-known-words", ())),
        "time": its.get("format") == "date-time",
    }
    return {key: value for key, value in made.items() if value}


def _types(option: Mapping[str, Any]) -> list[str]:
    if "$ref" in option:
        return ["object"]
    kind = option.get("type", list(TYPES))
    return [kind] if isinstance(kind, str) else list(kind)


def _below(option: Mapping[str, Any]) -> str:
    return str(option.get("$ref") or option.get("items", {}).get("$ref", "")).rpartition("/")[2]


if __name__ == "__main__":
    Path(__file__).with_name(FILE).write_bytes(orjson.dumps(make(), option=orjson.OPT_INDENT_2) + b"\n")
