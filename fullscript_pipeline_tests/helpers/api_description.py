"""Ways to look into the description of the vendor's API, for the tests of it, of the code and of the sandbox."""

import re
from collections.abc import Iterator
from typing import Any

from fullscript_pipeline.api.description import load_description

METHODS = {"get", "post", "put", "patch", "delete"}
# OAuth and session grants have pages of their own; they are not in the technical reference that is counted.
OUTSIDE_THE_REFERENCE = {"oauth", "embed"}
# A link is a secret and no data: in the reference, not in our endpoint table.
LINKS = {"/clinic/dynamic_links/treatment_plans", "/clinic/dynamic_links/treatment_plans/{id}"}

Operation = dict[str, Any]
SPEC = load_description()


def operations() -> Iterator[tuple[str, str, Operation]]:
    """Every method, path and operation, webhooks aside."""
    for path, item in SPEC["paths"].items():
        for method in METHODS & item.keys():
            yield method, path, item[method]


def reference_operations() -> list[tuple[str, str, Operation]]:
    return [row for row in operations() if not OUTSIDE_THE_REFERENCE & set(row[2]["tags"])]


def reference_gets() -> dict[str, Operation]:
    return {path: operation for method, path, operation in reference_operations() if method == "get"}


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """The node itself, or what its `$ref` names. Raises KeyError when there is no such thing."""
    if "$ref" not in node:
        return node
    found: Any = SPEC
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def walk(node: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping below `node`, with the way to it."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from walk(value, f"{path}/{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from walk(value, f"{path}/{number}")


def answer_schema(operation: Operation) -> dict[str, Any]:
    return dict(operation["responses"]["200"]["content"]["application/json"]["schema"])


def wrapper_of(operation: Operation) -> tuple[str, dict[str, Any]]:
    """The key that a body is wrapped in, and the schema under it."""
    ((key, schema),) = (row for row in answer_schema(operation)["properties"].items() if row[0] != "meta")
    return key, schema


def parameters_of(operation: Operation, where: str) -> list[dict[str, Any]]:
    return [row for row in map(resolve, operation.get("parameters", [])) if row["in"] == where]


def arguments_of(operation: Operation) -> list[str]:
    """The names of the query's arguments, paging aside."""
    return [row["name"] for row in parameters_of(operation, "query") if not row["name"].startswith("page[")]


def anonymous(path: str) -> str:
    return re.sub(r"{\w+}", "{}", path)
