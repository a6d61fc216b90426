"""The description of the vendor's API: sound in itself, the same everywhere, and agreeing with the endpoint table."""

import re
from collections import Counter
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from fullscript_pipeline.api import ENDPOINTS
from fullscript_pipeline.api import description as package
from fullscript_pipeline.api.description import known_keys, object_at
from fullscript_pipeline.resources.types import Endpoint
from fullscript_pipeline_tests.helpers.api_description import (
    LINKS,
    OUTSIDE_THE_REFERENCE,
    SPEC,
    arguments_of,
    operations,
    parameters_of,
    reference_gets,
    reference_operations,
    resolve,
    walk,
    wrapper_of,
)

DOCS = Path(__file__).parents[1] / "docs" / "fullscript-api"
MARKS = {"documented", "observed", "inferred"}

# The document itself


def test_docs_and_package_hold_the_same_file() -> None:
    here = Path(str(package.__file__)).with_name("openapi.yaml")
    assert here.read_bytes() == (DOCS / "openapi.yaml").read_bytes()


def test_the_whole_reference_is_there() -> None:
    assert len(reference_operations()) == 72
    assert len(reference_gets()) == 56
    outside = {
        (method, path) for method, path, operation in operations() if OUTSIDE_THE_REFERENCE & {*operation["tags"]}
    }
    assert outside == {
        ("get", "/oauth/authorize"),
        ("post", "/oauth/token"),
        ("post", "/oauth/revoke"),
        ("post", "/clinic/embeddable/session_grants"),
    }


def test_only_the_five_restricted_endpoints_are_restricted() -> None:
    restricted = {operation["operationId"] for _, _, operation in operations() if operation.get("x-restricted")}
    lists = {"list_products", "list_similar_products", "search_products"}
    assert restricted == lists | {"create_treatment_plan", "activate_treatment_plan"}


def test_it_is_an_openapi_document() -> None:
    assert SPEC["openapi"].startswith("3.1.")
    assert {"title", "version"} <= SPEC["info"].keys()
    tags = {tag["name"] for tag in SPEC["tags"]}
    hooks = [item["post"] for item in SPEC["webhooks"].values()]
    every = [operation for _, _, operation in operations()] + hooks
    assert [name for name, count in Counter(one["operationId"] for one in every).items() if count > 1] == []
    for operation in every:
        assert set(operation["tags"]) <= tags
        assert all("description" in resolve(response) for response in operation["responses"].values())
    for _, path, operation in operations():
        names = {row["name"] for row in parameters_of(operation, "path")}
        assert names == set(re.findall(r"{(\w+)}", path)), path
        seen = [(row["name"], row["in"]) for row in map(resolve, operation.get("parameters", []))]
        assert len(seen) == len(set(seen)), path


def test_every_reference_resolves_and_every_component_is_used() -> None:
    named = {node["$ref"] for _, node in walk(SPEC) if isinstance(node.get("$ref"), str)}
    for name in named:
        resolve({"$ref": name})
    kinds = ("schemas", "parameters", "responses")
    there = {f"#/components/{kind}/{name}" for kind in kinds for name in SPEC["components"][kind]}
    assert there - named == set()


def test_every_schema_is_json_schema() -> None:
    for schema in SPEC["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for _, node in walk(SPEC):
        if isinstance(node.get("schema"), dict):
            Draft202012Validator.check_schema(node["schema"])


def test_everything_says_how_we_know_it() -> None:
    for path, node in walk(SPEC):
        for name, schema in (node.get("properties") or {}).items():
            assert schema.get("x-source") in MARKS, f"{path}/{name}"
        if node.get("in") in {"query", "path", "header"}:
            assert node["x-source"] in MARKS, path
    for _, path, operation in operations():
        sources = MARKS - {"observed"} if operation["x-scope"] else {"undocumented", "none"}
        assert operation["x-scope-source"] in sources, path
        assert operation["x-scope"] is None or operation["x-scope"] in _scopes()


def _scopes() -> set[str]:
    flows = SPEC["components"]["securitySchemes"]["fullscript"]["flows"]
    return set(flows["authorizationCode"]["scopes"])


# What asks it


def test_known_keys_are_the_described_ones() -> None:
    assert known_keys("recommendation")["variant_id"] == "documented"
    assert known_keys("clinic")["margin_type"] == "observed"
    assert known_keys("allergen") == {"id": "inferred", "name": "inferred"}
    with pytest.raises(ValueError, match="no object 'patients'"):
        known_keys("patients")
    with pytest.raises(ValueError, match="no object 'date_filter'"):
        known_keys("date_filter")


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=lambda endpoint: endpoint.name)
def test_the_endpoint_table_agrees(endpoint: Endpoint) -> None:
    operation = reference_gets()[endpoint.path]
    key, wrapped = wrapper_of(operation)
    paging = [row for row in parameters_of(operation, "query") if row["name"].startswith("page[")]
    assert endpoint.kind == ("list" if wrapped.get("type") == "array" else "detail")
    assert endpoint.wrapper_keys == (key, *wrapped.get("x-alternatives", ()))
    assert endpoint.scope == operation["x-scope"]
    assert endpoint.restricted == operation.get("x-restricted", False)
    assert endpoint.paginated == any(row["x-source"] == "documented" for row in paging)
    assert set(endpoint.filters) == set(arguments_of(operation))
    assert known_keys(object_at(endpoint.path))


def test_the_endpoint_table_leaves_out_the_links_only() -> None:
    assert {endpoint.path for endpoint in ENDPOINTS.values()} == reference_gets().keys() - LINKS
    with pytest.raises(ValueError, match="no GET /clinic/labs"):
        object_at("/clinic/labs")


# The pages beside it


def test_the_pages_name_everything_and_link_to_what_exists() -> None:
    pages = {page.name: page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")}
    for name, text in pages.items():
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (DOCS / target).exists(), f"{name} links to {target}"
        assert name == "README.md" or f"({name})" in pages["README.md"], name
    for scope in _scopes():
        assert f"`{scope}`" in pages["scopes.md"]
    for kind in SPEC["components"]["schemas"]["event"]["properties"]["type"]["x-known-words"]:
        assert f"`{kind}`" in pages["events.md"]
    for word in SPEC["components"]["schemas"]["lab_order"]["properties"]["state"]["x-known-words"]:
        assert f"`{word}`" in pages["labs.md"]
    for path in reference_gets():
        assert f"`{object_at(path)}`" in pages["objects.md"], path
    for method, path, _ in operations():
        assert f"| {method.upper()} | `{path}` |" in pages["endpoints.md"]
