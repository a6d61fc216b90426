"""The machine-readable description of the vendor's API (OpenAPI 3.1), for the run-time drift check and for tests.

`openapi.yaml` here and in docs/fullscript-api/ are the same file (tested): edit one, copy it over the other. What
does not belong here: which endpoints we read (`endpoints`), and what is done about a drift (the warehouse's).
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from fullscript_pipeline.api.description.schema_diff import Difference, Differences
from fullscript_pipeline.api.description.shapes import Shape, shape_at


@cache
def load_description() -> dict[str, Any]:
    """The whole document, read once per process; do not change it."""
    text = files(__package__).joinpath("openapi.yaml").read_text(encoding="utf-8")
    # libyaml reads it in 0.1 s; the pure Python loader, used where that is missing, needs a second.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return dict(yaml.load(text, Loader=loader))  # noqa: S506  # both are safe loaders


@cache
def known_keys(object_name: str) -> Mapping[str, str]:
    """The top-level keys of an object (`patient`, `treatment_plan`, ...) and how each is known.

    The marks are `documented`, `observed` and `inferred` (docs/fullscript-api/README.md). A key that is not here is a
    drift; a missing one is a drift only if it is documented. Raises ValueError for an object that is not described.
    """
    schema = load_description()["components"]["schemas"].get(object_name, {})
    if "properties" not in schema:
        raise ValueError(f"there is no object {object_name!r} in fullscript_pipeline.api.description")
    return {key: str(described["x-source"]) for key, described in schema["properties"].items()}


@cache
def object_at(path: str) -> str:
    """The name of the object that a GET of `path` (as in the endpoint table) returns, one or a list of them.

    Raises ValueError for a path that is not described.
    """
    operation = load_description()["paths"].get(path, {}).get("get")
    if operation is None:
        raise ValueError(f"there is no GET {path} in fullscript_pipeline.api.description")
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    if "$ref" not in schema:
        (wrapped,) = (described for key, described in schema["properties"].items() if key != "meta")
        schema = wrapped.get("items", wrapped)
    return str(schema["$ref"].rpartition("/")[2])


__all__ = [
    "Difference",
    "Differences",
    "Shape",
    "shape_at",
]
