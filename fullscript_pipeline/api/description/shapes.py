"""The part of the description that comparing responses needs: the keys of each object, their types and known words.

What does not belong here: making `shapes.json` (`build_shapes`), comparing (`schema_diff`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

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


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The shape of an object.

    `sure`: documented keys that are never null. `structured`: keys that hold a list or an object, which rows of a list
    may lack. `pairs`: each key with each type it may have. `words`: the words of keys that hold one of a few words.
    `times`: keys that hold an instant. `nested`: the shapes below a key.
    """

    name: str
    keys: frozenset[str]
    sure: frozenset[str]
    structured: frozenset[str]
    pairs: frozenset[tuple[str, type]]
    words: Mapping[str, frozenset[str]]
    times: tuple[str, ...]
    nested: Mapping[str, "Shape"]


@cache
def shape_at(endpoint: str) -> Shape | None:
    """The shape of the objects that an endpoint answers; None for an endpoint that is not described yet."""
    made = _made()
    name = made["endpoints"].get(endpoint)
    return _shape(name) if name else None


@cache
def _shape(name: str) -> Shape:
    properties: dict[str, dict[str, Any]] = _made()["objects"][name]
    return Shape(
        name=name,
        keys=frozenset(properties),
        sure=frozenset(key for key, described in properties.items() if described.get("sure")),
        structured=frozenset(
            key for key, described in properties.items() if {"array", "object"} & set(described["types"])
        ),
        pairs=frozenset(
            (key, python_type)
            for key, described in properties.items()
            for name in described["types"]
            for python_type in TYPES[name]
        ),
        words={key: frozenset(described["words"]) for key, described in properties.items() if "words" in described},
        times=tuple(key for key, described in properties.items() if described.get("time")),
        nested={key: _shape(described["object"]) for key, described in properties.items() if "object" in described},
    )


@cache
def _made() -> dict[str, Any]:
    return dict(orjson.loads(files(__package__).joinpath(FILE).read_bytes()))
