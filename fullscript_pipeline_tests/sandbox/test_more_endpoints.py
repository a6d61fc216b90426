"""Search, library, links, grants, scopes, users and limits, over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fullscript_pipeline.sandbox.endpoints import ENDPOINTS
from fullscript_pipeline.sandbox.settings import READ_SCOPES
from fullscript_pipeline_tests.helpers.sandbox_paths import listed, path_of, sample_ids
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), patients=25, products=60, history_days=40) as running:
        yield running


@pytest.fixture(scope="module")
def maple(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    with sandbox.client("maple-street") as client:
        yield client


@pytest.fixture(scope="module")
def cedre(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    with sandbox.client("cedre-rouge") as client:
        yield client


def test_product_search_narrows_by_every_argument(cedre: httpx.Client, maple: httpx.Client) -> None:
    assert maple.get("catalog/search/products", params={"query": "magnesium"}).status_code == 403
    rows = listed(cedre, "catalog/search/products")
    permitted = {row["id"] for row in listed(cedre, "catalog/brands", clinic_permitted="true")}
    assert {row["brand"]["id"] for row in rows} <= permitted
    assert len(permitted) < len(listed(cedre, "catalog/brands"))
    assert all(row["primary_variant"]["sku"] == row["variants"][0]["sku"] for row in rows)
    some = rows[0]
    by_name = listed(cedre, "catalog/search/products", query=some["name"].upper()[:9])
    assert some in by_name
    assert len(by_name) < len(rows)
    assert {row["brand"]["id"] for row in listed(cedre, "catalog/search/products", brand_id=some["brand"]["id"])} == {
        some["brand"]["id"]
    }
    for kind in ("allergens", "ingredients", "supplement_types", "third_party_certifications"):
        argument = f"{kind[:-1]}_ids[]"
        first, second = [row["id"] for row in listed(cedre, f"catalog/{kind}")][:2]
        one = listed(cedre, "catalog/search/products", **{argument: first})
        both = cedre.get("catalog/search/products", params=[(argument, first), (argument, second)]).json()["products"]
        assert len(one) < len(rows)
        assert {row["id"] for row in both} <= {row["id"] for row in one}


def test_similar_products_serve_the_same_purpose(cedre: httpx.Client, maple: httpx.Client) -> None:
    category = listed(cedre, "clinic/categories")[1]["id"]
    rows = {row["id"]: row for row in listed(cedre, f"clinic/categories/{category}/products")}
    first = next(iter(rows))
    similar = {row["id"] for row in listed(cedre, f"catalog/products/{first}/similar")}
    assert similar
    assert similar < rows.keys()
    assert first not in similar
    assert cedre.get("catalog/products/nothing/similar").status_code == 404
    assert maple.get("catalog/products/nothing/similar").status_code == 403


def test_patient_search_and_metadata(maple: httpx.Client) -> None:
    everybody = listed(maple, "clinic/search/patients", patient_type="all")
    assert everybody == listed(maple, "clinic/patients")
    guardians = {row["guardian_patient_id"] for row in everybody} - {None}
    assert {row["id"] for row in listed(maple, "clinic/search/patients")} == {
        row["id"] for row in everybody
    } - guardians
    some = everybody[5]
    for query in (some["first_name"].lower(), some["last_name"], some["email"]):
        assert some in listed(maple, "clinic/search/patients", query=query, patient_type="all")
    named = listed(maple, "clinic/metadata", type="patient")
    assert {row["data"]["id"]: row["id"] for row in named} == {
        row["id"]: row["metadata"]["id"] for row in everybody if row["metadata"]
    }
    assert named[0] in listed(maple, "clinic/metadata", id=named[0]["id"])
    assert {row["type"] for row in listed(maple, "clinic/metadata")} >= {"patient", "practitioner", "staff"}


def test_protocols_belong_to_somebody(maple: httpx.Client) -> None:
    for person in listed(maple, "clinic/practitioners"):
        path = f"clinic/practitioners/{person['id']}/protocols"
        owned, shared, both = (listed(maple, path, ownership_type=kind) for kind in ("owned", "shared", "all"))
        assert owned == listed(maple, path)
        assert {row["id"] for row in both} == {row["id"] for row in owned + shared}
        assert all(row["practitioner"]["id"] == person["id"] for row in owned)
        assert not any(row["practitioner"]["id"] == person["id"] for row in shared)
        assert owned == listed(maple, f"clinic/practitioners/{person['id']}/templates")
        for state in ("active", "draft", "cancelled"):
            assert {row["current_state"] for row in listed(maple, path, current_state=state)} <= {state}
    names = [row["name"] for row in listed(maple, "clinic/fullscript_protocols", sort_by="name", order_by="DESC")]
    assert names == sorted(names, reverse=True)
    assert names


def test_brands_with_something_on_sale(maple: httpx.Client) -> None:
    every, selling = listed(maple, "catalog/brands"), listed(maple, "catalog/brands", available="true")
    assert selling
    assert {row["id"] for row in selling} < {row["id"] for row in every}


def test_scopes_are_enforced_one_by_one(tmp_path: Path, maple: httpx.Client) -> None:
    ids = sample_ids(maple)
    for scope in READ_SCOPES.split():
        # The same seed makes the same world, so the ids of the other one are good here.
        sizes: dict[str, Any] = {"patients": 25, "products": 60, "history_days": 40}
        with (
            running_sandbox(tmp_path, scopes=scope, **sizes) as running,
            running.client("maple-street") as client,
        ):
            for endpoint in ENDPOINTS:
                if endpoint.restricted or endpoint.path == "/events/{id}" or "treatment_plans" in endpoint.path:
                    continue
                answer = client.get(path_of(endpoint, maple, ids))
                allowed = not endpoint.scopes or scope in endpoint.scopes
                assert answer.status_code == (200 if allowed else 403), (scope, endpoint.path)
                assert allowed or endpoint.scope in answer.json()["error"]
            plan = client.get(f"clinic/treatment_plans/{ids['/clinic/treatment_plans/{id}']}")
            assert plan.status_code == {"patients:treatment_plan_history": 200, "patients:read": 404}.get(scope, 403)


def test_grants_and_links_are_answered_and_everything_else_refused(tmp_path: Path) -> None:
    scopes = f"{READ_SCOPES} clinic:write"
    with running_sandbox(tmp_path, scopes=scopes) as running, running.client("maple-street") as client:
        grant = client.post("clinic/embeddable/session_grants")
        assert grant.status_code == 201
        assert grant.json().keys() == {"id", "secret_token", "claimed_at", "expires_at", "user"}
        assert grant.json()["user"]["type"] == "Practitioner"
        who = listed(client, "clinic/patients")[0]
        for path in ("clinic/dynamic_links/treatment_plans", "clinic/dynamic_links/gateway/treatment_plans"):
            plan = {"practitioner_id": listed(client, "clinic/practitioners")[0]["id"]}
            made = client.post(path, json={"treatment_plan": plan, "patient": {"email": who["email"]}})
            assert (made.status_code, made.json()["dynamic_links"]["patient_id"]) == (200, who["id"])
            nameless = client.post(path, json={"patient": {"first_name": "Ada"}})
            assert (nameless.status_code, isinstance(nameless.json()["error"], list)) == (422, True)
            stranger = client.post(path, json={"patient": {"email": "new@maple-street.example"}})
            assert (stranger.status_code, "patients:write" in stranger.json()["error"]) == (403, True)
            for wrong in (b"[]", b"{", b'{"patient": 5}'):
                answer = client.post(path, content=wrong, headers={"Content-Type": "application/json"})
                assert answer.status_code == 422
        assert client.get("clinic/dynamic_links/treatment_plans").json().keys() == {"redirect_url"}
        assert client.post("clinic/patients", json={}).status_code == 403
        seen = running.control.requests()
        assert (seen["writes"], seen["writes_refused"]) == (14, 11)
    with running_sandbox(tmp_path / "other") as running, running.client("maple-street") as client:
        assert client.post("clinic/dynamic_links/treatment_plans", json={}).status_code == 403


def test_a_practitioner_may_see_only_their_own_patients(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, assigned_patients_only=True) as running:
        with running.client("maple-street") as owner:
            everybody = {row["id"] for row in listed(owner, "clinic/patients")}
            events = {row["id"] for row in listed(owner, "events/patients") + listed(owner, "events/orders")}
        seen: list[str] = []
        for number in (2, 3, 4):
            with running.client("maple-street", user=f"practitioner-{number}") as client:
                mine = [row["id"] for row in listed(client, "clinic/patients")]
                seen += mine
                stranger = next(iter(everybody - set(mine)))
                assert client.get(f"clinic/patients/{stranger}").status_code == 404
                assert client.get(f"clinic/patients/{stranger}/treatment_plans").status_code == 404
                assert {row["patient_id"] for row in listed(client, "clinic/orders")} <= set(mine)
                theirs = {row["id"] for row in listed(client, "events/patients") + listed(client, "events/orders")}
                assert theirs < events
        assert sorted(seen) == sorted(everybody)
        with running.client("maple-street", user="staff-1") as client:
            assert {row["id"] for row in listed(client, "clinic/patients")} == everybody
            assert running.connect("maple-street", user="staff-1")["resource_owner"]["type"] == "Staff"


def test_the_limit_holds_and_an_account_of_its_own_shows_it(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, rate_limit=7, rate_window=1) as running, running.client("maple-street") as client:
        answers = [client.get("clinic") for _ in range(10)]
        statuses = [answer.status_code for answer in answers]
        assert statuses == [200] * 6 + [429] * 4, "the token call was the first of seven"
        assert answers[-1].json().keys() == {"error"}
        assert "retry-after" not in answers[-1].headers
        with running.client("cedre-rouge") as other:
            assert other.get("clinic").status_code == 200, "each app has its own limit"
        assert running.control.requests()["max_in_window"] == {"us-snd": 11, "ca-snd": 2}
        running.control.change(rate_limit=5000)
        assert client.get("clinic").status_code == 200
