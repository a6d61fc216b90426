"""Every fault happens, on the wire, to the requests its rule names and to no others."""

import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.faults import CANNED, HIDDEN, KINDS, MALFORMING, PAGED, WIRE
from fullscript_pipeline.sandbox.malformed_responses import bomb
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox
from fullscript_pipeline_tests.helpers.wait_until import wait

ORDERS = "clinic/orders"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), patients=20) as running:
        yield running


@pytest.fixture
def maple(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    sandbox.control.disarm()
    with sandbox.client("maple-street") as client:
        yield client
    sandbox.control.disarm()


def page(client: httpx.Client, number: int = 1, size: int = 10) -> dict[str, Any]:
    answer = client.get(ORDERS, params={"page[number]": number, "page[size]": size})
    return dict(answer.raise_for_status().json())


def ids(body: dict[str, Any]) -> list[str]:
    return [row["id"] for row in body["orders"]]


def test_all_of_the_plan_is_listed(sandbox: RunningSandbox) -> None:
    assert sandbox.control.faults()["kinds"].keys() == KINDS.keys() == {*WIRE, *CANNED, *MALFORMING, *PAGED, *HIDDEN}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset_mid_body", (httpx.RemoteProtocolError, httpx.ReadError)),
        ("commit_then_drop", (httpx.RemoteProtocolError, httpx.ReadError)),
        ("read_timeout", httpx.ReadTimeout),
        ("bad_gzip", httpx.DecodingError),
    ],
)
def test_broken_answers(sandbox: RunningSandbox, maple: httpx.Client, kind: str, error: Any) -> None:
    sandbox.control.arm(kind, endpoint="/clinic/orders")
    with pytest.raises(error):
        maple.get(ORDERS, timeout=0.3 if error is httpx.ReadTimeout else 10)
    assert maple.get(ORDERS).status_code == 200, "it happened once"
    assert sandbox.control.faults()["armed"][0]["fired"] == 1


@pytest.mark.parametrize(
    ("kind", "error"), [("connect_refused", httpx.ConnectError), ("connect_timeout", httpx.ConnectTimeout)]
)
def test_a_door_that_is_shut_and_opens_again(
    sandbox: RunningSandbox, maple: httpx.Client, kind: str, error: type[Exception]
) -> None:
    sandbox.control.arm(kind, endpoint="/clinic", seconds=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        maple.get("clinic")
    with pytest.raises(error):
        maple.get("clinic", timeout=httpx.Timeout(2, connect=0.2))
    assert wait(lambda: answers(maple)), "it opens by itself"


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("clinic").status_code == 200
    except httpx.TransportError:
        return False


def test_a_slow_drip_arrives_whole_and_late(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    whole = maple.get(ORDERS).content
    sandbox.control.arm("slow_drip", endpoint="/clinic/orders", seconds=0.4)
    began = time.monotonic()
    assert maple.get(ORDERS).content == whole
    assert time.monotonic() - began >= 0.35


@pytest.mark.parametrize(
    "kind", ["http_500", "http_502", "http_503", "http_504", "unauthorized", "forbidden", "not_found"]
)
def test_statuses(sandbox: RunningSandbox, maple: httpx.Client, kind: str) -> None:
    sandbox.control.arm(kind, count=None)
    status = {"unauthorized": 401, "forbidden": 403, "not_found": 404}.get(kind) or int(kind[-3:])
    answers = [maple.get("clinic") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status] * 3
    assert all(answer.headers["X-Request-Id"] for answer in answers)


def test_a_revocation_may_be_refused(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    app = sandbox.apps["us-snd"]
    form = {"client_id": app["client_id"], "client_secret": app["client_secret"], "token": "unknown"}
    sandbox.control.arm("invalid_client", endpoint="/oauth/revoke", count=None)
    refused = httpx.post(f"{app['api_url']}/oauth/revoke", json=form, trust_env=False)
    assert (refused.status_code, refused.json()) == (400, {"error": "invalid_client"})
    sandbox.control.disarm()
    assert httpx.post(f"{app['api_url']}/oauth/revoke", json=form, trust_env=False).status_code == 200


def test_one_endpoint_may_be_denied_for_good_to_a_token_that_works(
    sandbox: RunningSandbox, maple: httpx.Client
) -> None:
    sandbox.control.arm("unauthorized", endpoint="/clinic/labs/orders", count=None)
    with sandbox.client("maple-street") as renewed:
        answers = [client.get("clinic/labs/orders").status_code for client in (maple, maple, renewed)]
        assert answers == [401] * 3
        assert renewed.get("clinic").status_code == 200


def test_outside_of_the_api_nothing_is_there(sandbox: RunningSandbox) -> None:
    for base in (f"{sandbox.base_url}/us-snd", f"{sandbox.base_url}/us-snd/api/api"):
        assert httpx.get(f"{base}/clinic", trust_env=False).status_code == 404
        assert httpx.post(f"{base}/oauth/token", json={}, trust_env=False).status_code == 404


def test_too_many_requests_say_when_to_come_back(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    for kind, seconds in (("too_many_requests", 0), ("too_many_requests_seconds", 7), ("too_many_requests_date", 60)):
        sandbox.control.arm(kind, **({"seconds": seconds} if seconds else {}))
        answer = maple.get("clinic")
        assert answer.status_code == 429
        said = answer.headers.get("Retry-After")
        assert (said is None) == (seconds == 0)
        if said and seconds == 7:
            assert said == "7"
        elif said:
            assert 50 < (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds() <= 60


def test_strange_two_hundreds(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    sandbox.control.arm("html_200")
    sandbox.control.arm("empty_object_200", nth=2)
    sandbox.control.arm("no_content_204", nth=3)
    html, empty, nothing = (maple.get("clinic") for _ in range(3))
    assert (html.status_code, html.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert empty.json() == {}
    assert (nothing.status_code, nothing.content) == (204, b"")


def test_spoilt_bodies(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    whole = maple.get(ORDERS)
    sandbox.control.arm("truncated_json")
    with pytest.raises(json.JSONDecodeError):
        maple.get(ORDERS).json()
    sandbox.control.arm("wrong_charset")
    with pytest.raises(json.JSONDecodeError):
        json.loads(maple.get(ORDERS).content.decode("utf-8"))
    sandbox.control.arm("missing_request_id")
    nameless = maple.get(ORDERS)
    assert "X-Request-Id" not in nameless.headers
    assert nameless.content == whole.content
    sandbox.control.arm("unknown_word")
    assert maple.get(ORDERS).json()["orders"][0]["state"] == "unheard_of"
    sandbox.control.arm("row_changed")
    row = maple.get(ORDERS).json()["orders"][0]
    assert row != maple.get(f"{ORDERS}/{row['id']}").json()["order"]


def test_a_clock_that_is_ahead(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    sandbox.control.arm("clock_skew", seconds=3600)
    dates = maple.get("clinic").headers.get_list("date")
    assert len(dates) == 1
    assert 3500 < (parsedate_to_datetime(dates[0]) - datetime.now(UTC)).total_seconds() < 3601
    sandbox.control.arm("clock_skew", endpoint="/oauth/token", seconds=3600)
    created = datetime.fromisoformat(sandbox.connect("maple-street")["created_at"])
    assert 3500 < (created - datetime.now(UTC)).total_seconds() < 3601


def test_pages_that_do_not_fit_together(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    first, second, third = (page(maple, number, 3) for number in (1, 2, 3))

    def struck(kind: str, number: int) -> dict[str, Any]:
        sandbox.control.disarm()
        sandbox.control.arm(kind, endpoint="/clinic/orders")
        return page(maple, number, 3)

    assert ids(struck("duplicate_page", 2)) == ids(first)
    assert ids(struck("skipped_page", 2)) == ids(third)
    assert ids(struck("row_repeated", 2)) == [ids(first)[-1], *ids(second)]
    shrunk, grown = struck("total_pages_shrinks", 1)["meta"], struck("total_pages_grows", 1)["meta"]
    assert (shrunk["total_pages"] + 1, grown["total_pages"] - 1) == (first["meta"]["total_pages"],) * 2
    last = first["meta"]["total_pages"]
    assert struck("total_pages_shrinks", last - 1)["meta"]["next_page"] is None
    assert struck("total_pages_grows", last)["meta"]["next_page"] == last + 1
    assert len(ids(struck("page_size_ignored", 1))) > 3
    sandbox.control.disarm()
    sandbox.control.arm("duplicate_page")
    assert "clinic" in maple.get("clinic").json(), "faults of pages happen to lists only"
    assert ids(page(maple, 1, 3)) == ids(first), "there is no page before the first"


def test_two_hundreds_that_hold_nothing(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    whole = page(maple)
    sandbox.control.arm("empty_array_200")
    sandbox.control.arm("error_200", nth=2)
    assert maple.get(ORDERS).json() == []
    assert maple.get(ORDERS).json() == {"error": "Internal server error"}
    changes: dict[str, dict[str, Any]] = {
        "empty_list": {"orders": [], "total_count": 0, "total_pages": 0, "next_page": None},
        "null_list": {"orders": None},
        "total_count_zero": {"total_count": 0},
        "total_pages_zero": {"total_pages": 0, "next_page": None},
    }
    for kind, change in changes.items():
        sandbox.control.disarm()
        sandbox.control.arm(kind)
        expected = {"orders": change.pop("orders", whole["orders"]), "meta": whole["meta"] | change}
        assert page(maple) == expected, kind


def test_a_bomb_is_small_and_unpacks_to_a_thousand_times_its_size(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    assert gzip.decompress(bomb(megabytes=8)) == b" " * (8 << 20)
    for value, most in ((None, 2_000_000), ("zstd", 100_000), ("gzip, zstd", 20_000)):
        sandbox.control.arm("decompression_bomb", value=value)
        with maple.stream("GET", ORDERS) as answer:
            assert (answer.status_code, answer.headers["Content-Encoding"]) == (200, value or "gzip")
            assert sum(len(part) for part in answer.iter_raw()) < most
    with pytest.raises(SandboxError, match="deflate, gzip, zstd"):
        sandbox.control.arm("decompression_bomb", value="br")


def test_records_that_are_bent(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    whole = page(maple)["orders"]
    giver = next(row for row in whole if row["line_items"])

    def bent(kind: str, **rule: Any) -> list[dict[str, Any]]:
        sandbox.control.disarm()
        sandbox.control.arm(kind, **rule)
        return list(page(maple)["orders"])

    lines = bent("field_retyped")[0]["line_items"]
    assert [line["quantity"] for line in lines] == ["unheard of", *(line["quantity"] for line in lines[1:])]
    assert bent("field_retyped", field="state", value=["x"])[0] == whole[0] | {"state": ["x"]}
    assert bent("odd_id") == [whole[0] | {"id": ".."}, *whole[1:]]
    assert bent("odd_id", value="a/b")[0]["id"] == "a/b"
    place = whole.index(giver)
    shared, moved = bent("child_shared"), bent("child_moved")
    assert shared[place] == giver
    assert moved[place]["line_items"] == giver["line_items"][:-1]
    taken = [*whole[place + 1]["line_items"], giver["line_items"][-1]]
    assert shared[place + 1]["line_items"] == moved[place + 1]["line_items"] == taken


def test_filters_may_be_ignored(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    whole = page(maple)
    sandbox.control.arm("filters_ignored")
    asked = {"patient_id": "nobody", "page[size]": "10"}
    assert maple.get(ORDERS, params=asked).json() == whole
    assert maple.get(ORDERS, params=asked).json()["orders"] == []


def test_an_object_that_is_late_has_its_event_only(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    sandbox.control.advance(days=1)
    everything = {"page[size]": "100"}
    told = maple.get("events/orders", params={"order_by": "desc"} | everything).json()["events"]
    before = maple.get(ORDERS, params=everything).json()
    sandbox.control.arm("late_object", endpoint="/clinic/orders*", count=2)
    late = maple.get(ORDERS, params=everything).json()
    new = {*ids(before)} - {*ids(late)}
    assert new
    assert late["meta"]["total_count"] == before["meta"]["total_count"] - len(new)
    (one, *_) = new
    assert maple.get(f"{ORDERS}/{one}").status_code == 404
    assert maple.get(f"{ORDERS}/{one}").status_code == 200, "it came by and by"
    details = [maple.get(f"events/{event['id']}").json()["event"] for event in told]
    assert new <= {event["data"]["id"] for event in details}
    sandbox.control.arm("late_object", objects=[ids(before)[0]], count=None)
    assert maple.get(f"{ORDERS}/{ids(before)[0]}").status_code == 404
    assert {*ids(before)} - {*ids(maple.get(ORDERS, params=everything).json())} == {ids(before)[0]}


def test_a_redirect_to_another_host_sees_whether_the_token_comes_along(
    sandbox: RunningSandbox, maple: httpx.Client
) -> None:
    sandbox.control.arm("redirect_elsewhere", count=2)
    answer = maple.get("clinic")
    assert answer.status_code == 302
    assert httpx.URL(answer.headers["Location"]).host == "localhost"
    maple.get("clinic", follow_redirects=True)
    assert sandbox.control.faults()["elsewhere"] == {"requests": 1, "with_authorization": 0}
    httpx.get(answer.headers["Location"], headers=maple.headers, trust_env=False)
    assert sandbox.control.faults()["elsewhere"] == {"requests": 2, "with_authorization": 1}


def test_a_rotation_that_is_committed_but_not_answered_can_be_repeated(sandbox: RunningSandbox) -> None:
    sandbox.control.disarm()
    app, token = sandbox.apps["us-snd"], sandbox.connect("harbor-point")
    form = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"]}
    form |= {"client_id": app["client_id"], "client_secret": app["client_secret"]}
    sandbox.control.arm("commit_then_drop", endpoint="/oauth/token", method="POST")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        httpx.post(f"{app['api_url']}/oauth/token", json=form, trust_env=False)
    assert httpx.post(f"{app['api_url']}/oauth/token", json=form, trust_env=False).status_code == 200


def test_rules_choose_by_endpoint_clinic_number_and_chance(sandbox: RunningSandbox, maple: httpx.Client) -> None:
    with sandbox.client("harbor-point") as harbor:
        sandbox.control.arm("http_500", endpoint="/clinic/patients/*", clinic="maple-street", nth=2, count=2)
        patient = maple.get("clinic/patients").json()["patients"][0]["id"]
        statuses = [maple.get(f"clinic/patients/{patient}/orders").status_code for _ in range(5)]
        assert statuses == [200, 500, 500, 200, 200]
        assert harbor.get("clinic/patients/x").status_code == 404
    drawn: list[list[int]] = []
    for seed in (1, 1, 2):
        sandbox.control.disarm()
        sandbox.control.arm("http_503", probability=0.3, seed=seed)
        drawn.append([maple.get("clinic").status_code for _ in range(60)])
    assert drawn[0] == drawn[1] != drawn[2]
    assert 5 < drawn[0].count(503) < 35
    seen = sandbox.control.requests()
    assert any(row["status"] == 503 for row in seen["counts"]), "what the client saw is what is counted"


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "gremlins"},
        {"kind": "http_500", "nth": 0},
        {"kind": "http_500", "probability": "x"},
        {"kind": "http_500", "colour": "red"},
        {"kind": "http_500", "endpoint": 5},
        {"kind": "late_object", "objects": "an id"},
        {"kind": "field_retyped", "field": 5},
        {"kind": []},
        {},
    ],
)
def test_a_wrong_rule_is_a_sentence(sandbox: RunningSandbox, wrong: dict[str, Any]) -> None:
    answer = httpx.post(f"{sandbox.base_url}/_sandbox/faults", json=wrong, trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")
    with pytest.raises(SandboxError, match="no fault 'gremlins'"):
        sandbox.control.arm("gremlins")
