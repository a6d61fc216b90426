"""Each quirk shows, and none of them changes which rows exist or what they say."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.sandbox.behaviour_switches import (
    EXCLUSIVE_VARIANTS,
    NOT_IN_ALL,
    RESPONSE_VARIANTS,
    ResponseVariants,
    parse_variant_names,
)
from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.response_variants import reshape_answer
from fullscript_pipeline.sandbox.settings import READ_SCOPES
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox

Body = dict[str, Any]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), patients=30, history_days=60) as running:
        yield running


@pytest.fixture(scope="module")
def maple(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    with sandbox.client("maple-street") as client:
        yield client


@pytest.fixture(autouse=True)
def _plain(sandbox: RunningSandbox) -> Iterator[None]:
    sandbox.control.set_response_variants()
    yield
    sandbox.control.set_response_variants()


class Asker:
    """Asks the same thing with and without a quirk."""

    def __init__(self, sandbox: RunningSandbox, client: httpx.Client) -> None:
        self.sandbox, self.client = sandbox, client

    def both(self, quirk: str, path: str, **params: str) -> tuple[Body, Body]:
        """The plain answer and the quirky one."""
        params = {"page[size]": "100"} | params
        self.sandbox.control.set_response_variants()
        plain = self.client.get(path, params=params).json()
        self.sandbox.control.set_response_variants(quirk)
        return plain, self.client.get(path, params=params).json()


@pytest.fixture
def ask(sandbox: RunningSandbox, maple: httpx.Client) -> Asker:
    return Asker(sandbox, maple)


def first(client: httpx.Client, path: str, **params: str) -> str:
    (rows,) = [value for value in client.get(path, params=params).json().values() if isinstance(value, list)]
    return str(rows[0]["id"])


def patient_with_plans(client: httpx.Client) -> str:
    for row in client.get("clinic/patients", params={"page[size]": "100"}).json()["patients"]:
        if client.get(f"clinic/patients/{row['id']}/treatment_plans").json()["treatment_plans"]:
            return str(row["id"])
    raise AssertionError("nobody has a plan")


def test_all_means_all_but_rivals_and_what_hides_facts() -> None:
    every = parse_variant_names("all")
    assert every == frozenset(RESPONSE_VARIANTS) - NOT_IN_ALL - {
        name for rivals in EXCLUSIVE_VARIANTS for name in rivals[1:]
    }
    assert "bare_events" in parse_variant_names("all, bare-events")
    assert "event_payload_wrapper" not in parse_variant_names("all,bare_events")
    for wrong in ("gremlins", "error_arrays,error_objects"):
        with pytest.raises(SandboxError, match=r"\.$"):
            parse_variant_names(wrong)


def test_other_keys(ask: Asker, maple: httpx.Client) -> None:
    for path, key, other in (
        ("clinic/staff", "staff", "staff_members"),
        ("clinic/labs/orders", "orders", "lab_orders"),
        ("clinic/fullscript_protocols", "protocols", "fullscript_protocols"),
        (f"clinic/labs/orders/{first(maple, 'clinic/labs/orders')}", "order", "lab_order"),
    ):
        plain, quirky = ask.both("other_wrapper_keys", path)
        assert quirky[other] == plain[key]
        assert key not in quirky


def test_thin_rows_are_whole_by_id(ask: Asker, maple: httpx.Client) -> None:
    who = patient_with_plans(maple)
    categories = [row["id"] for row in maple.get("clinic/categories").json()["categories"]]
    category = next(key for key in categories if maple.get(f"clinic/categories/{key}/products").json()["products"])
    for quirk, path, detail in (
        ("thin_plan_rows", f"clinic/patients/{who}/treatment_plans", "clinic/treatment_plans"),
        ("thin_order_rows", "clinic/orders", "clinic/orders"),
        ("thin_patient_rows", "clinic/patients", "clinic/patients"),
        ("thin_product_rows", f"clinic/categories/{category}/products", "catalog/products"),
    ):
        plain, quirky = ask.both(quirk, path)
        (key,) = plain.keys() - {"meta"}
        assert [row["id"] for row in plain[key]] == [row["id"] for row in quirky[key]]
        assert all(thin.items() < whole.items() for thin, whole in zip(quirky[key], plain[key], strict=True))
        (whole,) = maple.get(f"{detail}/{quirky[key][0]['id']}").json().values()
        assert plain[key][0].items() <= whole.items()


def test_nested_lists_without_meta(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    who = patient_with_plans(maple)
    path = f"clinic/patients/{who}/orders"
    plain = maple.get(path).json()
    sandbox.control.set_response_variants("nested_without_meta")
    assert maple.get(path, params={"page[size]": "1", "page[number]": "9"}).json() == {"orders": plain["orders"]}
    assert "meta" in maple.get("clinic/orders").json()
    sandbox.control.set_response_variants("nested_pages_without_meta")
    assert maple.get(path, params={"page[size]": "1"}).json() == {"orders": plain["orders"][:1]}
    assert maple.get(path, params={"page[size]": "1", "page[number]": "99"}).json() == {"orders": []}


def test_events_in_other_shapes(ask: Asker, maple: httpx.Client) -> None:
    plain, quirky = ask.both("event_ids_only", "events/orders")
    assert quirky["events"] == [{"id": row["id"]} for row in plain["events"]]
    path = f"events/{plain['events'][0]['id']}"
    plain, quirky = ask.both("event_payload_wrapper", path)
    assert quirky == {"event_payload": plain}
    plain, quirky = ask.both("bare_events", path)
    assert quirky == plain["event"]
    plain, quirky = ask.both("unnested_event_data", path)
    assert quirky["event"]["data"] == {"order": plain["event"]["data"]}
    plain, quirky = ask.both("feed_times_left_out", "events/orders")
    assert [row.keys() ^ {"created_at"} for row in quirky["events"]] == [row.keys() for row in plain["events"]]
    assert "created_at" in maple.get(path).json()["event"]
    plain, quirky = ask.both("event_times_left_out", path)
    assert plain["event"].keys() - quirky["event"].keys() == {"created_at"}
    about_plan = f"events/{first(maple, 'events/treatment_plans')}"
    plain, quirky = ask.both("unnested_event_data", about_plan)
    assert quirky["event"]["data"] == plain["event"]["data"]["treatment_plan"]


def test_values_written_differently(ask: Asker, maple: httpx.Client) -> None:
    path = "clinic/patients"
    pairs = zip(*(body["patients"] for body in ask.both("string_booleans", path)), strict=True)
    assert all(quirky["archived"] == str(plain["archived"]).lower() for plain, quirky in pairs)
    pairs = zip(*(body["patients"] for body in ask.both("string_numbers", path)), strict=True)
    assert all(quirky["discount"] == str(plain["discount"]) for plain, quirky in pairs)
    pairs = zip(*(body["patients"] for body in ask.both("empty_strings", path)), strict=True)
    assert all(quirky["guardian_patient_id"] == (plain["guardian_patient_id"] or "") for plain, quirky in pairs)
    plain, quirky = ask.both("fields_left_out", path)
    lost = [one.items() - two.items() for one, two in zip(*(_flat(body) for body in (plain, quirky)), strict=True)]
    assert any(lost)
    assert all(value is None for pairs in lost for _, value in pairs)
    plain, quirky = ask.both("extra_keys", "clinic/orders")
    assert quirky["orders"][0].keys() - plain["orders"][0].keys() == {"x_internal", "legacy_reference"}
    assert "x_internal" in quirky["orders"][0]["line_items"][0]
    plain, quirky = ask.both("unknown_words", "clinic")
    assert plain["clinic"]["margin_type"] != quirky["clinic"]["margin_type"]
    plain, quirky = ask.both("other_timestamps", "events/orders")
    moments = [[datetime.fromisoformat(row["created_at"]) for row in body["events"]] for body in (plain, quirky)]
    assert moments[0] == moments[1]
    assert quirky["events"][0]["created_at"].endswith("+00:00")
    variant = maple.get("clinic/orders").json()["orders"][0]["line_items"][0]["variant_id"]
    plain, quirky = ask.both("number_prices", f"catalog/variants/{variant}")
    if "variant" in plain:
        assert float(plain["variant"]["msrp"]) == quirky["variant"]["msrp"]


def _flat(body: Body) -> list[Body]:
    return [{key: value for key, value in row.items() if key != "metadata"} for row in body["patients"]]


def test_refunds_and_labs_in_other_words(ask: Asker) -> None:
    for quirk, key in (
        ("refund_as_status", "status"),
        ("refund_as_flag", "refunded"),
        ("refund_as_time", "refunded_at"),
    ):
        plain, quirky = ask.both(quirk, "clinic/orders")
        known = {row["id"] for row in plain["orders"] if row["state"] == "refunded"}
        said = {row["id"] for row in quirky["orders"] if row[key] not in {False, None, "complete"}}
        assert known == said
        assert "state" not in quirky["orders"][0]
    rows = [{"id": str(number), "state": state} for number, state in enumerate(("results_ready", "processing"))]
    spoken = reshape_answer(ResponseVariants("lab_words_of_webhooks"), "/clinic/labs/orders", {"orders": rows})[
        "orders"
    ]
    assert [row["state"] for row in spoken] == ["all_results_received", "processing"]


def test_ids_of_another_format_lead_to_the_same_rows(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    plain = maple.get("clinic/orders", params={"page[size]": "5"}).json()["orders"]
    sandbox.control.set_response_variants("other_ids")
    quirky = maple.get("clinic/orders", params={"page[size]": "5"}).json()["orders"]
    assert all("|" in row["id"] and row["id"] not in {one["id"] for one in plain} for row in quirky)
    assert [row["order_number"] for row in quirky] == [row["order_number"] for row in plain]
    again = maple.get(f"clinic/orders/{quirky[0]['id']}").json()["order"]
    assert again == quirky[0]
    mine = maple.get("clinic/orders", params={"patient_id": quirky[0]["patient_id"]}).json()["orders"]
    assert quirky[0] in mine
    assert maple.get(f"clinic/orders/{plain[0]['id']}").status_code == 404, "the plain format is unknown now"
    assert sandbox.connect("maple-street")["resource_owner"]["id"].startswith("FS|")
    assert "|" in sandbox.control.state()["clinics"][0]["clinic_id"]


@given(st.uuids(version=4))
def test_other_ids_turn_back(number: Any) -> None:
    quirks = ResponseVariants("other_ids")
    seen = quirks.replace_ids_in_answer(f'{{"id": "{number}"}}'.encode()).decode()
    assert str(number) not in seen
    assert quirks.restore_ids(seen) == f'{{"id": "{number}"}}'


def test_tokens_pages_and_filters(ask: Asker, sandbox: RunningSandbox, maple: httpx.Client) -> None:
    sandbox.control.set_response_variants("string_numbers", "owner_clinic_id", "page_size_25", "empty_list_has_a_page")
    token = sandbox.connect("maple-street")
    assert token["expires_in"] == "7200"
    assert token["resource_owner"]["clinic_id"] == sandbox.clinics["maple-street"]["clinic_id"]
    assert len(maple.get("clinic/orders").json()["orders"]) == 25
    assert maple.get("clinic/orders", params={"order_number": "R0"}).json()["meta"]["total_pages"] == 1
    sandbox.control.set_response_variants()
    rows = maple.get("clinic/orders", params={"page[size]": "100"}).json()["orders"]
    local = [datetime.fromisoformat(row["completed_at"]) for row in rows]
    evening = next(moment for moment in local if moment.astimezone(UTC).date() > moment.date())
    day = str(evening.date())
    for quirk, params in (
        ("filter_local_days", {"completed_at": day}),
        ("filter_bounds_included", {"completed_at": f"<{evening.astimezone(UTC).date()}"}),
        ("filter_last_day_left_out", {"completed_at": f"{day}..{evening.astimezone(UTC).date()}"}),
    ):
        plain, quirky = ask.both(quirk, "clinic/orders", **params)
        assert plain["meta"]["total_count"] != quirky["meta"]["total_count"], quirk


def test_a_renewal_may_leave_the_refresh_token_as_it_is(sandbox: RunningSandbox) -> None:
    sandbox.control.set_response_variants("refresh_token_kept")
    app, first = sandbox.apps["us-snd"], sandbox.connect("maple-street")
    form = {"client_id": app["client_id"], "client_secret": app["client_secret"], "grant_type": "refresh_token"}
    form |= {"refresh_token": first["refresh_token"]}
    for _ in range(3):
        token = httpx.post(f"{app['api_url']}/oauth/token", json=form, trust_env=False).raise_for_status().json()
        assert "refresh_token" not in token["oauth"]
        bearer = {"Authorization": f"Bearer {token['oauth']['access_token']}"}
        assert httpx.get(f"{app['api_url']}/clinic", headers=bearer, trust_env=False).status_code == 200


def test_a_missing_scope_may_be_a_401(sandbox: RunningSandbox) -> None:
    sandbox.control.set_response_variants("missing_scope_401")
    sandbox.control.change(scopes="clinic:read")
    with sandbox.client("maple-street") as client:
        sandbox.control.change(scopes=READ_SCOPES)
        answers = [client.get(path).status_code for path in ("clinic", "clinic/orders", "catalog/brands")]
    assert answers == [200, 401, 401]


def test_errors_in_other_shapes(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    app = sandbox.apps["us-snd"]
    form = {"client_id": app["client_id"], "client_secret": app["client_secret"], "grant_type": "refresh_token"}
    for quirk in ("error_arrays", "error_objects"):
        sandbox.control.set_response_variants(quirk)
        answers = [maple.get("clinic/orders", params={"sort_by": "x"}), maple.get("nothing")]
        answers.append(httpx.post(f"{app['api_url']}/oauth/token", json=form, trust_env=False))
        for answer, status in zip(answers, (422, 404, 400), strict=True):
            said = answer.json()["errors"][0] if quirk == "error_arrays" else answer.json()["error"]
            assert (answer.status_code, said.keys()) == (status, {"code", "message"})
        assert said["code"] == "invalid_grant"


def test_undocumented_keys_may_be_missing(ask: Asker, maple: httpx.Client) -> None:
    _, quirky = ask.both("dependent_keys_left_out", "clinic/patients")
    assert not any("is_dependent" in row for row in quirky["patients"])
    lines = [line for row in maple.get("clinic/orders").json()["orders"] for line in row["line_items"]]
    found = (line["variant_id"] for line in lines)
    known = next(key for key in found if maple.get(f"catalog/variants/{key}").status_code == 200)
    plain, quirky = ask.both("variant_product_name_only", f"catalog/variants/{known}")
    assert quirky["variant"]["product"] == {"name": plain["variant"]["product"]["name"]}


def test_every_endpoint_still_answers_with_all_of_them(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    sandbox.control.set_response_variants("all")
    assert maple.post("clinic/embeddable/session_grants").status_code == 200
    for path in (
        "clinic",
        "clinic/patients",
        "clinic/orders",
        "clinic/labs/orders",
        "events/products",
        "catalog/brands",
    ):
        assert maple.get(path).status_code == 200
    with pytest.raises(SandboxError, match="no response variant gremlins"):
        sandbox.control.set_response_variants("gremlins")
