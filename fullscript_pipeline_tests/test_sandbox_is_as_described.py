"""The sandbox against the description of the vendor's API: the same endpoints, and answers of the described shape."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

from fullscript_pipeline.api.description import known_keys, object_at
from fullscript_pipeline.sandbox.endpoints import ENDPOINTS as SANDBOX_ENDPOINTS
from fullscript_pipeline.sandbox.endpoints import SandboxEndpoint
from fullscript_pipeline_tests.helpers.api_description import (
    LINKS,
    SPEC,
    anonymous,
    answer_schema,
    arguments_of,
    reference_gets,
    wrapper_of,
)
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox


def test_the_sandbox_knows_exactly_the_reads_of_the_reference() -> None:
    there = [anonymous(endpoint.path) for endpoint in SANDBOX_ENDPOINTS]
    assert sorted(there) == sorted(map(anonymous, reference_gets()))


@pytest.mark.parametrize("endpoint", SANDBOX_ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_the_sandbox_takes_and_wants_what_is_described(endpoint: SandboxEndpoint) -> None:
    operation = {anonymous(path): its for path, its in reference_gets().items()}[anonymous(endpoint.path)]
    assert endpoint.restricted == operation.get("x-restricted", False)
    assert set(endpoint.arguments) == set(arguments_of(operation))
    if operation["x-scope-source"] == "documented":
        assert endpoint.scopes
        assert endpoint.scopes <= {operation["x-scope"], *operation.get("x-scope-more", ())}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    directory = tmp_path_factory.mktemp("sandbox")
    with running_sandbox(directory, patients=25, products=30, history_days=60) as sandbox:
        sandbox.control.advance(days=2)
        yield sandbox


@pytest.mark.parametrize(
    ("clinic", "refused"),
    [
        ("maple-street", lambda path: reference_gets()[path].get("x-restricted")),
        ("cedre-rouge", lambda path: "/labs/" in path),
    ],
    ids=["american without the restricted lists", "canadian with them and without labs"],
)
def test_what_the_sandbox_answers_is_described(
    running: RunningSandbox, clinic: str, refused: Callable[[str], bool]
) -> None:
    with running.client(clinic) as client:
        for path in reference_gets():
            if not refused(path):
                assert _answers_as_described(client, path), f"nothing to ask {path} for"
            elif "{" not in path:
                answer = client.get(path.lstrip("/"))
                assert answer.status_code in {403, 404}
                _validator(SPEC["components"]["schemas"]["error"]).validate(answer.json())


@pytest.mark.parametrize("feed", ["patients", "treatment_plans", "orders", "lab_orders", "products"])
def test_events_carry_the_documented_bodies(running: RunningSandbox, feed: str) -> None:
    with running.client("maple-street") as client:
        events = {row["type"]: row["id"] for row in _rows(client, f"events/{feed}", **{"page[size]": "100"})}
        assert events
        for kind, event_id in events.items():
            body = {"event_payload": client.get(f"events/{event_id}").raise_for_status().json()}
            hook = SPEC["webhooks"][kind]["post"]["requestBody"]["content"]["application/json"]["schema"]
            _validator(hook).validate(body)


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    # The components come along, so that "#/components/..." resolves within the schema.
    return Draft202012Validator({"components": SPEC["components"], **schema}, format_checker=FormatChecker())


def _answers_as_described(client: httpx.Client, path: str) -> bool:
    """Ask for up to five objects of a path; whether there was one. Fails for an answer that is not as described."""
    operation = reference_gets()[path]
    validator = _validator(answer_schema(operation))
    urls = _urls(client, path)
    for url in urls:
        answer = client.get(url)
        assert answer.status_code == 200, (path, answer.text)
        body = answer.json()
        validator.validate(body)
        if path not in LINKS:
            inner = body[wrapper_of(operation)[0]]
            for row in inner if isinstance(inner, list) else [inner]:
                assert row.keys() <= known_keys(object_at(path)).keys(), path
    return bool(urls)


def _urls(client: httpx.Client, path: str) -> list[str]:
    """The path with ids of the listed objects that its placeholder is about filled in."""
    if "{" not in path:
        return [path.lstrip("/")]
    before, rest = path.split("{", 1)
    after = rest.partition("}")[2]
    ids = _listed_ids(client, before)
    if "{" not in after:
        return [f"{before}{one}{after}".lstrip("/") for one in ids]
    return [url for one in ids for url in _urls(client, f"{before}{one}{after}")]


def _listed_ids(client: httpx.Client, prefix: str) -> list[str]:
    """Ids for what comes after `prefix`; where nothing lists them, those that other objects name."""
    listed = prefix.strip("/")
    finder = {
        "catalog/variants": _variant_ids,
        "clinic/treatment_plans": _plan_ids,
        "clinic/dynamic_links/treatment_plans": _open_plan_ids,
        "clinic/labs/tests": _lab_test_ids,
    }.get(listed)
    if finder:
        return finder(client)[:5]
    elsewhere = {
        "events": "/events/orders",
        "catalog/products": "/clinic/categories/{category_id}/products",
        "clinic/protocols": "/clinic/fullscript_protocols",
        "clinic/templates": "/clinic/practitioners/{practitioner_id}/templates",
    }.get(listed, f"/{listed}")
    return [one for url in _urls(client, elsewhere) for one in _first_ids(client, url)][:5]


def _variant_ids(client: httpx.Client) -> list[str]:
    # Not those of orders: a variant that has left the catalog is a 404.
    lists = _urls(client, "/clinic/categories/{category_id}/products")
    return [pack["id"] for url in lists for product in _rows(client, url) for pack in product["variants"]]


def _plan_ids(client: httpx.Client) -> list[str]:
    orders = _rows(client, "clinic/orders", **{"page[size]": "100"})
    return [plan for order in orders for plan in order["treatment_plan_ids"]]


def _open_plan_ids(client: httpx.Client) -> list[str]:
    # There are links to drafts and active plans only.
    ids = dict.fromkeys(_plan_ids(client))
    states = {one: client.get(f"clinic/treatment_plans/{one}").json()["treatment_plan"]["state"] for one in ids}
    return [one for one, state in states.items() if state in {"draft", "active"}]


def _lab_test_ids(client: httpx.Client) -> list[str]:
    orders = [client.get(url).json()["order"] for url in _urls(client, "/clinic/labs/orders/{id}")]
    return [test["id"] for order in orders for test in order["tests"]]


def _first_ids(client: httpx.Client, url: str) -> list[str]:
    return [str(row["id"]) for row in _rows(client, url)[:5]]


def _rows(client: httpx.Client, url: str, **params: str) -> list[dict[str, Any]]:
    body = client.get(url, params=params).raise_for_status().json()
    return next(list(rows) for key, rows in body.items() if key != "meta")
