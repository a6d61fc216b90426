"""What a session does with whatever a server may answer; each test over real HTTP."""

import logging
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fullscript_pipeline.api import (
    ENDPOINTS,
    AuthError,
    BadResponse,
    FullscriptError,
    RateLimited,
    RequestRefused,
    ScopeError,
    ServerError,
    WrongAddress,
    http,
)
from fullscript_pipeline.api.http import HttpClient
from fullscript_pipeline.resources.types import Endpoint
from fullscript_pipeline.sandbox.malformed_responses import bomb
from fullscript_pipeline_tests.helpers.api_sessions import FreeBudget, Sleeps, SomeTokens, session_at
from fullscript_pipeline_tests.helpers.order_pages import orders_in_pages
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server


def test_every_request_has_budget_token_and_is_a_get() -> None:
    budget, tokens = FreeBudget(), SomeTokens()
    with odd_server(orders_in_pages) as server, session_at(server.url, budget=budget, tokens=tokens) as session:
        list(session.pages("orders"))
    assert {seen.method for seen in server.requests} == {"GET"}
    assert {seen.headers["authorization"] for seen in server.requests} == {"Bearer token-1"}
    assert budget.acquired == ["present"] * 3
    assert tokens.confirmed == ["token-1"] * 3


@pytest.mark.parametrize(
    ("body", "key", "unexpected"),
    [
        ({"orders": [{"id": "1"}]}, "orders", False),
        ({"lab_orders": [{"id": "1"}], "meta": None}, "lab_orders", True),
        ({"results": [{"id": "1"}], "meta": {}, "note": "x"}, "results", True),
        ([{"id": "1"}], "", True),
        ({"orders": ["1"]}, "orders", False),
    ],
)
def test_wrapper_keys_are_tolerated_and_reported(body: object, key: str, unexpected: bool) -> None:
    with odd_server([Reply(body=body)]) as server, session_at(server.url) as session:
        page = next(session.pages("lab_orders"))
    assert (page.wrapper_key, page.unexpected_wrapper, page.records) == (key, unexpected, [{"id": "1"}])


def test_one_entry_that_is_no_object_does_not_cost_the_page() -> None:
    with odd_server([Reply(body={"orders": [{"id": "1"}, None, {"id": "2"}]})]) as server, session_at(server.url) as at:
        page = next(at.pages("orders"))
    assert page.records == [{"id": "1"}, {"as_received": "null"}, {"id": "2"}]


@pytest.mark.parametrize(
    "body",
    [
        {}, None, 7, "orders", {"a": [], "b": []}, {"orders": None}, {"orders": {"id": "1"}}, {"orders": [None]},
        b"", b"<html>login</html>", b'{"orders": [{"id": "1"}', b"\xff\xfe", b'{"orders": [NaN]}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_not_understood_is_never_an_empty_page(body: object) -> None:
    with (
        odd_server([Reply(body=body)]) as server,
        session_at(server.url) as session,
        pytest.raises(BadResponse) as caught,
    ):
        list(session.pages("orders"))
    assert caught.value.exit_code == 69
    assert len(server.requests) == 3  # it may have been damaged on the way, so it was asked for again


@pytest.mark.parametrize(
    ("body", "unexpected"),
    [
        ({"event": {"id": "e-1", "type": "order.placed"}}, False),
        ({"id": "e-1", "type": "order.placed"}, True),
        ({"event_payload": {"event": {"id": "e-1", "type": "order.placed"}}}, True),
        ({"thing": {"id": "e-1", "type": "order.placed"}, "meta": {}}, True),
    ],
)
def test_detail_wrappers_are_tolerated(body: object, unexpected: bool) -> None:
    with odd_server([Reply(body=body)]) as server, session_at(server.url) as session:
        one = session.fetch_object("event", path={"id": "e-1"})
    assert (one.record, one.unexpected_wrapper) == ({"id": "e-1", "type": "order.placed"}, unexpected)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"event": {}},
        {"event": None},
        [],
        {"error": "x"},
        {"a": {"id": 1}, "b": {"id": 2}},
    ],
)
def test_a_detail_without_an_object_is_an_error(body: object) -> None:
    with odd_server([Reply(body=body)]) as server, session_at(server.url) as session, pytest.raises(BadResponse):
        session.fetch_object("event", path={"id": "e-1"})


def test_a_lone_surrogate_or_a_huge_number_does_not_hide_the_page() -> None:
    body = b'{"orders": [{"id": "1", "note": "\\ud800"}, {"id": "2", "n": 123456789012345678901234567890}]}'
    with odd_server([Reply(body=body)]) as server, session_at(server.url) as session:
        records = next(session.pages("orders")).records
    assert (records[0]["note"], records[1]["n"]) == ("\ud800", 123456789012345678901234567890)


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [
        (400, RequestRefused, 1), (403, ScopeError, 1), (404, WrongAddress, 7), (409, RequestRefused, 1),
        (410, RequestRefused, 1), (422, RequestRefused, 1), (401, AuthError, 8), (408, ServerError, 5),
        (425, ServerError, 5), (429, RateLimited, 5), (500, ServerError, 5), (502, ServerError, 5),
        (503, ServerError, 5), (504, ServerError, 5), (301, BadResponse, 3), (204, BadResponse, 3),
    ],
)  # fmt: skip
def test_each_status_has_its_error_and_its_number_of_attempts(
    status: int, kind: type[FullscriptError], requests: int
) -> None:
    reply = Reply(status, b"" if status == 204 else {"error": "Ann Example, born 1970, token abc"})
    with (
        odd_server([reply]) as server,
        session_at(server.url) as session,
        pytest.raises(FullscriptError) as caught,
    ):
        session.fetch_object("order", path={"id": "o-1"})
    error = caught.value
    assert type(error) is kind
    assert len(server.requests) == requests
    # What a reader needs is there, and nothing of the body.
    assert (error.status, error.request_id, error.clinic, error.endpoint) == (status, "req-1", "maple", "order")
    for needed in ("maple", "us-snd", "req-1", f"GET {server.url}/clinic/orders/{{id}}"):
        assert needed in str(error)
    assert "Example" not in str(error)
    assert "token-" not in str(error)


@pytest.mark.parametrize("fault", [Reply(503), Reply(drop=True), Reply(429), Reply(body=b"<html>"), Reply(408)])
def test_a_passing_fault_is_not_noticed(fault: Reply) -> None:
    sleeps, budget = Sleeps(), FreeBudget()
    replies = [fault, fault, Reply(body={"order": {"id": "o-1"}})]
    with odd_server(replies) as server, session_at(server.url, sleeps=sleeps, budget=budget) as session:
        assert session.fetch_object("order", path={"id": "o-1"}).record == {"id": "o-1"}
    assert session.retries == 2
    assert len(sleeps.waits) == 2
    assert len(budget.acquired) == 3  # every attempt counts
    assert budget.held == (sleeps.waits if fault.status == 429 else [])


def test_broken_compression_is_retried() -> None:
    replies = [Reply(body=b"not gzip", headers={"Content-Encoding": "gzip"}), Reply(body={"order": {"id": "o-1"}})]
    with odd_server(replies) as server, session_at(server.url) as session:
        assert session.fetch_object("order", path={"id": "o-1"}).record == {"id": "o-1"}


def test_a_401_renews_once_and_goes_on() -> None:
    def answer(seen: Seen) -> Reply:
        fresh = seen.headers["authorization"] == "Bearer token-2"
        return Reply(body={"clinic": {"id": "c-1"}}) if fresh else Reply(401)

    tokens = SomeTokens()
    with odd_server(answer) as server, session_at(server.url, tokens=tokens) as session:
        session.fetch_object("clinic")
        session.fetch_object("clinic")
    assert len(server.requests) == 3
    assert tokens.confirmed == ["token-2", "token-2"]


def test_an_endpoint_that_always_says_401_does_not_burn_refreshes() -> None:
    tokens = SomeTokens()
    with odd_server([Reply(401)]) as server, session_at(server.url, tokens=tokens) as session:
        for _ in range(5):
            with pytest.raises(AuthError) as caught:
                session.fetch_object("clinic")
    assert caught.value.exit_code == 77
    assert tokens.number == 2


def test_a_redirect_is_not_followed_and_carries_nothing() -> None:
    with odd_server([Reply(body={"clinic": {"id": "c-1"}})]) as elsewhere:
        reply = Reply(302, headers={"Location": f"{elsewhere.url}/clinic"})
        with (
            odd_server([reply]) as server,
            session_at(server.url) as session,
            pytest.raises(BadResponse, match="redirect"),
        ):
            session.fetch_object("clinic")
    assert elsewhere.requests == []


def test_the_size_of_an_answer_is_bounded() -> None:
    client = HttpClient(max_body_bytes=1000)
    with (
        odd_server([Reply(body=b" " * 5000)]) as server,
        session_at(server.url, client=client) as session,
        pytest.raises(BadResponse, match="more than 1000 bytes"),
    ):
        session.fetch_object("clinic")


@pytest.mark.parametrize("encodings", [("gzip",), ("zstd",), ("gzip", "gzip")])
def test_a_bomb_is_an_answer_that_cannot_be_used(encodings: tuple[str, ...]) -> None:
    named = {"Content-Encoding": ", ".join(encodings)}
    with odd_server([Reply(body=bomb(encodings, 70), headers=named)]) as server, session_at(server.url) as session:
        with pytest.raises(BadResponse) as caught:
            session.fetch_object("clinic")
        said = str(caught.value)
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate, zstd"
    assert said.startswith("clinic (clinic maple, us-snd): the answer unpacks to more than 67108864 bytes (GET http://")
    assert said.endswith("status 200, X-Request-Id req-1). Tell the vendor, quoting the X-Request-Id.")


def test_of_several_large_answers_one_is_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_LARGE", 100)
    meanwhile: list[bool] = []

    def parts(client: HttpClient) -> Iterator[bytes]:
        yield b"x" * 100
        yield b"x"
        meanwhile.append(client._large.locked())

    with HttpClient() as client:
        assert client._joined(iter([b"x" * 100])) == b"x" * 100
        assert len(client._joined(parts(client))) == 101
        assert not client._large.locked()
    assert meanwhile == [True]


def test_a_compression_that_was_not_requested_is_reported() -> None:
    replies = [Reply(body=b"\x0b\x02\x80{}\x03", headers={"Content-Encoding": "br"})]
    with (
        odd_server(replies) as server,
        session_at(server.url) as session,
        pytest.raises(BadResponse, match=r"compressed in another way than we asked for .*X-Request-Id req-1"),
    ):
        session.fetch_object("clinic")


def test_nobody_listening_is_one_sentence() -> None:
    with odd_server([Reply()]) as server:
        url = server.url
    with session_at(url) as session, pytest.raises(ServerError, match="refused or could not be made") as caught:
        session.fetch_object("clinic")
    assert caught.value.exit_code == 69


@pytest.mark.parametrize(
    ("name", "path", "params"),
    [
        ("no_such_endpoint", {}, {}),
        ("orders", {}, {"patient": "1"}),
        ("order", {"id": ""}, {}),
        ("order", {"id": ".."}, {}),
        ("order", {}, {}),
        ("orders", {"id": "1"}, {}),
    ],
)
def test_a_mistake_of_ours_is_reported_before_any_request(
    name: str, path: dict[str, str], params: dict[str, str]
) -> None:
    with odd_server([Reply()]) as server, session_at(server.url) as session:
        with pytest.raises(ValueError, match="endpoint"):
            session.fetch_object(name, path=path, params=params)
        assert server.requests == []


def test_secrets_and_search_words_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with odd_server([Reply(503)]) as server, session_at(server.url) as session, pytest.raises(ServerError) as caught:
        list(session.pages("search_patients", params={"query": "ann@example.com"}))
    everything = caplog.text + str(caught.value) + repr(caught.value)
    assert "ann" not in everything.replace("cannot", "")
    assert "token-1" not in everything
    assert "query=***" in str(caught.value)


def test_eight_threads_share_a_session() -> None:
    hiccups = {f"o-{n}" for n in range(3, 200, 7)}
    left, lock = set(hiccups), threading.Lock()

    def answer(seen: Seen) -> Reply:
        name = seen.path.rsplit("/", 1)[-1]
        with lock:
            hiccup = name in left
            left.discard(name)
        return Reply(503) if hiccup else Reply(body={"order": {"id": name}})

    with odd_server(answer) as server, session_at(server.url) as session, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: session.fetch_object("order", path={"id": f"o-{n}"}).record["id"], range(200)))
    assert found == [f"o-{n}" for n in range(200)]
    assert session.retries == len(hiccups)
    assert session.requests["order"] == len(server.requests) == 200 + len(hiccups)


def test_a_403_blames_no_scope_that_the_token_has() -> None:
    with (
        odd_server([Reply(403)]) as server,
        session_at(server.url, scopes=["patients:order_history"]) as session,
        pytest.raises(ScopeError, match=r"has the scope patients:order_history: .* Ask the vendor"),
    ):
        next(session.pages("lab_orders"))


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=lambda endpoint: str(endpoint.name))
def test_a_403_is_reported_at_once_for_every_endpoint(endpoint: Endpoint) -> None:
    """Promise 22: no retry, no renewal; and the reader is told whether to ask the vendor or to add a scope."""
    ids = dict.fromkeys(re.findall(r"{(\w+)}", endpoint.path), "1")
    with odd_server([Reply(403)]) as server, session_at(server.url) as session, pytest.raises(ScopeError) as caught:
        if endpoint.kind == "list":
            next(session.pages(endpoint.name, path=ids))
        else:
            session.fetch_object(endpoint.name, path=ids)
    assert len(server.requests) == 1
    assert session.retries == 0
    wanted = "grants this endpoint to few apps" if endpoint.restricted else "in the vendor's dashboard"
    assert wanted in str(caught.value)
