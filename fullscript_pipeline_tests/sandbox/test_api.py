"""The API over real HTTP: every endpoint, isolation, scopes, restrictions, errors."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from fullscript_pipeline.sandbox.endpoints import ENDPOINTS
from fullscript_pipeline_tests.helpers.sandbox_paths import listed, path_of, sample_ids
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), patients=25, products=40, history_days=60) as running:
        yield running


@pytest.fixture(scope="module")
def maple(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    with sandbox.client("maple-street") as client:
        yield client


@pytest.fixture(scope="module")
def cedre(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    with sandbox.client("cedre-rouge") as client:
        yield client


def test_the_table_is_the_reference_s() -> None:
    assert len({endpoint.path for endpoint in ENDPOINTS}) == len(ENDPOINTS) == 56


def test_every_endpoint_answers_in_its_envelope_with_a_request_id(maple: httpx.Client) -> None:
    ids = sample_ids(maple)
    asked: set[str] = set()
    for endpoint in ENDPOINTS:
        path = path_of(endpoint, maple, ids)
        response = maple.get(path)
        asked.add(response.headers["X-Request-Id"])
        if endpoint.restricted:
            assert (response.status_code, list(response.json())) == (403, ["error"])
            continue
        assert response.status_code == 200, path
        keys = response.json().keys()
        assert len(keys - {"meta"}) == 1
        many = isinstance(response.json()[next(iter(keys - {"meta"}))], list)
        assert ("meta" in keys) == many
    assert len(asked) == len(ENDPOINTS)


def test_every_argument_is_read(maple: httpx.Client, cedre: httpx.Client) -> None:
    """A word no argument takes is refused; an id, a name or a day nobody has finds nothing."""
    ids, free = sample_ids(maple), {"practitioner_id", "available", "clinic_permitted"}
    for endpoint in ENDPOINTS:
        if endpoint.restricted:
            continue
        path = path_of(endpoint, maple, ids)
        for argument in set(endpoint.arguments) - free:
            answer = maple.get(path, params={argument: "no such word"})
            body = answer.json()
            empty = answer.status_code == 200 and body["meta"]["total_count"] == 0
            assert empty or (answer.status_code == 422 and isinstance(body["error"], list)), (path, argument)
        for size in ("0", "x"):
            if "id}" not in endpoint.segments[-1] and "meta" in maple.get(path).json():
                assert maple.get(path, params={"page[size]": size}).status_code == 422


def test_a_clinic_sees_nothing_of_another(sandbox: RunningSandbox, maple: httpx.Client, cedre: httpx.Client) -> None:
    with sandbox.client("harbor-point") as harbor:
        for path in ("clinic/patients", "clinic/orders", "clinic/categories", "clinic/practitioners", "events/orders"):
            mine, theirs = listed(maple, path), listed(harbor, path)
            assert mine
            assert theirs
            assert not {row["id"] for row in mine} & {row["id"] for row in theirs}
            detail = "events" if path.startswith("events") else path
            assert harbor.get(f"{detail}/{mine[0]['id']}").status_code == 404
        shared = listed(maple, "catalog/brands")
        assert shared == listed(harbor, "catalog/brands"), "a region's catalog is one"
        assert shared != listed(cedre, "catalog/brands")


def test_restricted_lists_are_open_to_the_canadian_app_only(maple: httpx.Client, cedre: httpx.Client) -> None:
    assert maple.get("catalog/products").status_code == 403
    whole = listed(cedre, "catalog/products")
    categories = listed(cedre, "clinic/categories")
    side_door = {
        row["id"]: row for one in categories for row in listed(cedre, f"clinic/categories/{one['id']}/products")
    }
    assert side_door.items() <= {row["id"]: row for row in whole}.items(), "rows of categories are whole products"
    assert len(side_door) < len(whole), "no category holds everything"


def test_canada_has_no_labs(maple: httpx.Client, cedre: httpx.Client) -> None:
    assert cedre.get("clinic/labs/orders").status_code == 404
    labs = listed(maple, "clinic/labs/orders")
    assert labs
    assert "tests" not in labs[0]
    detail = maple.get(f"clinic/labs/orders/{labs[0]['id']}").json()["order"]
    assert detail["tests"]
    assert isinstance(detail["results"], list)
    mine = listed(maple, "clinic/labs/orders", patient_id=labs[0]["patient_id"])
    assert {lab["patient_id"] for lab in mine} == {labs[0]["patient_id"]}


def test_order_filters(maple: httpx.Client) -> None:
    orders = listed(maple, "clinic/orders")
    one = next(order for order in orders if order["treatment_plan_ids"])
    day = datetime.fromisoformat(one["completed_at"]).astimezone(UTC).date().isoformat()
    for params in (
        {"patient_id": one["patient_id"]},
        {"treatment_plan_id": one["treatment_plan_ids"][0]},
        {"order_number": one["order_number"]},
        {"completed_at": day},
        {"completed_at": f"{day}..{day}"},
    ):
        found = listed(maple, "clinic/orders", **params)
        assert one in found
        assert len(found) < len(orders), params
    earlier, later = (listed(maple, "clinic/orders", completed_at=f"{sign}{day}") for sign in "<>")
    same = listed(maple, "clinic/orders", completed_at=day)
    assert len(earlier) + len(same) + len(later) == len(orders)
    labs = listed(maple, "clinic/orders", type="labs")
    assert labs
    assert all(any(line["type"] == "labs" for line in order["line_items"]) for order in labs)
    assert listed(maple, "clinic/orders", order_number="R0") == []


def test_sorting_and_patient_types(maple: httpx.Client) -> None:
    rows = listed(maple, "clinic/orders", sort_by="completed_at", order_by="DESC")
    moments = [datetime.fromisoformat(row["completed_at"]) for row in rows]
    assert moments == sorted(moments, reverse=True)
    dependents = listed(maple, "clinic/patients", patient_type="dependent")
    guardians = {row["id"] for row in listed(maple, "clinic/patients", patient_type="guardian")}
    assert dependents
    assert {row["guardian_patient_id"] for row in dependents} == guardians


def test_events_are_thin_in_lists_and_whole_by_id(maple: httpx.Client) -> None:
    rows = listed(maple, "events/orders", sort_by="created_at", order_by="DESC")
    assert all("data" not in row for row in rows)
    told = maple.get(f"events/{rows[0]['id']}").json()["event"]
    order = maple.get(f"clinic/orders/{told['data']['id']}").json()["order"]
    assert told["data"].items() <= order.items(), "order.placed holds the order itself"
    created = listed(maple, "events/treatment_plans", event_type="treatment_plan.created")
    plan = maple.get(f"events/{created[0]['id']}").json()["event"]["data"]["treatment_plan"]
    assert plan["active"] == "true"
    assert maple.get(f"clinic/treatment_plans/{plan['id']}").status_code == 200
    day = rows[0]["created_at"][:10]
    assert {row["created_at"][:10] for row in listed(maple, "events/orders", created_at=day)} == {day}
    products = listed(maple, "events/products")
    kinds = {row["type"]: row for row in products}
    assert "clinic_id" not in kinds["product.created"]
    detail = maple.get(f"events/{kinds['product.updated']['id']}").json()["event"]
    assert "id" not in detail["data"]["product"], "no product event names its product"


def test_a_removed_product_is_gone_everywhere(tmp_path: Any) -> None:
    with running_sandbox(tmp_path) as running, running.client("cedre-rouge") as client:
        before = {row["id"]: row for row in listed(client, "catalog/products")}
        happened = running.control.advance(days=2)["regions"]["ca"]
        after = {row["id"]: row for row in listed(client, "catalog/products")}
        gone = [before[key] for key in before.keys() - after.keys()]
        assert len(gone) == happened["products_removed"] >= 1
        assert client.get(f"catalog/products/{gone[0]['id']}").status_code == 404
        assert client.get(f"catalog/variants/{gone[0]['variants'][0]['id']}").status_code == 404
        assert [key for key in before.keys() & after.keys() if before[key]["variants"] != after[key]["variants"]]


def test_refusals_are_json(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    for path, status in (
        ("clinic/patients/nobody", 404),
        ("clinic/nothing/here", 404),
        ("clinic/orders?completed_at=yesterday", 422),
        ("clinic/orders?sort_by=mood", 422),
        ("clinic/patients?page[size]=many", 422),
        ("", 404),
    ):
        response = maple.get(path)
        assert response.status_code == status, path
        assert response.json()["error"]
        assert response.headers["X-Request-Id"]
    sandbox.control.reset_requests()
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        refused = maple.request(method, "clinic/patients", json={"first_name": "Ada"})
        assert (refused.status_code, refused.json().keys()) == (403, {"error"})
    assert sandbox.control.requests()["writes_refused"] == 4
    for header in ({"Authorization": "Bearer made-up"}, {"Authorization": "Basic eA=="}, {}):
        answer = httpx.get(f"{sandbox.base_url}/us-snd/api/clinic", headers=header, trust_env=False)
        assert answer.status_code == 401
        assert answer.json()["error"]
    other_server = httpx.get(f"{sandbox.base_url}/ca-snd/api/clinic", headers=maple.headers, trust_env=False)
    assert other_server.status_code == 401
    nowhere = httpx.get(f"{sandbox.base_url}/eu/api/clinic", trust_env=False)
    assert (nowhere.status_code, nowhere.json()["error"]) == (404, "Not found")


def test_a_missing_scope_is_a_403_that_names_it(tmp_path: Any) -> None:
    with (
        running_sandbox(tmp_path, scopes="catalog:read clinic:read") as running,
        running.client("maple-street") as client,
    ):
        answer = client.get("clinic/patients")
        assert answer.status_code == 403
        assert "patients:read" in answer.json()["error"]
        assert client.get("catalog/brands").status_code == 200


def test_requests_are_counted_by_endpoint_and_repeats_found(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    sandbox.control.reset_requests()
    people = listed(maple, "clinic/patients")
    for _ in range(2):
        maple.get(f"clinic/patients/{people[0]['id']}/treatment_plans")
    maple.get(f"clinic/patients/{people[1]['id']}/treatment_plans")
    seen = sandbox.control.requests()
    counts = {(row["method"], row["endpoint"], row["status"]): row["count"] for row in seen["counts"]}
    assert counts == {
        ("GET", "/clinic/patients", 200): 1,
        ("GET", "/clinic/patients/{patient_id}/treatment_plans", 200): 3,
    }
    assert seen["repeated_urls"] == 1
