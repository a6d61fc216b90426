"""What a session makes of a 401 that stays and of a 404, whoever answers them: over real HTTP."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from fullscript_pipeline.api import (
    ENDPOINTS,
    AuthError,
    ClinicSession,
    NotFound,
    ScopeError,
    WrongAddress,
)
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.resources.types import Endpoint
from fullscript_pipeline_tests.helpers.api_sessions import SomeTokens, session_at
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server


@dataclass
class Denying:
    """Every endpoint answers, but for the paths in `replies`; tokens not in `alive` (empty: all are) get 401."""

    replies: dict[str, Reply] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)

    def __call__(self, seen: Seen) -> Reply:
        if self.alive and seen.headers["authorization"].removeprefix("Bearer ") not in self.alive:
            return Reply(401)
        if reply := self.replies.get(seen.path):
            return reply
        name = seen.path.rsplit("/", 1)[-1]
        if "page[size]" in seen.query:
            return Reply(body={name: [], "meta": {"current_page": 1, "total_pages": 1, "total_count": 0}})
        return Reply(body={"clinic": {"id": "c-1"}} if name == "clinic" else {"order": {"id": name}})


def _path(endpoint: Endpoint) -> str:
    return endpoint.url_path({name: "1" for name in ("id", *_placeholders(endpoint)) if f"{{{name}}}" in endpoint.path})


def _placeholders(endpoint: Endpoint) -> list[str]:
    return [part[1:-1] for part in endpoint.path.split("/") if part.startswith("{")]


def _read(session: ClinicSession, endpoint: Endpoint) -> None:
    ids = dict.fromkeys(_placeholders(endpoint), "1")
    if endpoint.kind == "list":
        list(session.pages(endpoint.name, path=ids))
    else:
        session.fetch_object(endpoint.name, path=ids)


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=lambda endpoint: str(endpoint.name))
def test_a_lasting_401_of_one_endpoint_is_a_missing_permission(endpoint: Endpoint) -> None:
    """Promise 36: told like a 403, whatever the endpoint, after one renewal and one other call."""
    tokens = SomeTokens()
    with (
        odd_server(Denying({_path(endpoint): Reply(401)})) as server,
        session_at(server.url, tokens=tokens) as session,
        pytest.raises(ScopeError) as caught,
    ):
        _read(session, endpoint)
    assert (caught.value.status, caught.value.exit_code, caught.value.endpoint) == (401, 1, endpoint.name)
    assert tokens.number == 2
    # As it came, renewed, the witness, and once more.
    assert len(server.requests) == 4
    wanted = "grants this endpoint to few apps" if endpoint.restricted else "in the vendor's dashboard"
    assert wanted in str(caught.value)
    if endpoint.scope and not endpoint.restricted:
        assert endpoint.scope in str(caught.value)


def test_a_denied_endpoint_is_not_checked_again_for_each_id() -> None:
    tokens = SomeTokens()
    denied = {f"/clinic/orders/o-{n}": Reply(401) for n in range(1000) if n % 2}
    with odd_server(Denying(denied)) as server, session_at(server.url, tokens=tokens) as session:
        refused = 0
        for number in range(1000):
            try:
                session.fetch_object("order", path={"id": f"o-{number}"})
            except ScopeError:
                refused += 1
    assert refused == 500
    assert tokens.number == 2
    assert len(server.requests) <= 1003


def test_the_witness_is_one_for_all_threads() -> None:
    tokens, together = SomeTokens(), threading.Barrier(8)

    def answer(seen: Seen) -> Reply:
        if seen.path == "/clinic/labs/orders":
            together.wait(10)  # nobody is answered before all have asked
        return Denying({"/clinic/labs/orders": Reply(401)})(seen)

    def deny(session: ClinicSession) -> None:
        with pytest.raises(ScopeError):
            next(session.pages("lab_orders"))

    with (
        odd_server(answer) as server,
        session_at(server.url, tokens=tokens) as session,
        ThreadPoolExecutor(8) as pool,
    ):
        list(pool.map(deny, [session] * 8))
    assert len(server.requests_to("/clinic")) == 1
    assert tokens.number == 2


def test_a_witness_that_is_denied_itself_is_no_proof() -> None:
    denied = {path: Reply(401) for path in ("/clinic", "/clinic/categories", "/catalog/brands", "/clinic/orders")}
    with odd_server(Denying(denied)) as server, session_at(server.url) as session, pytest.raises(ScopeError):
        session.fetch_object("clinic")
    assert [seen.path for seen in server.requests].count("/clinic/patients") == 1


def test_a_token_that_works_nowhere_needs_a_connect_and_is_not_tried_everywhere_again() -> None:
    tokens = SomeTokens()
    with odd_server([Reply(401)]) as server, session_at(server.url, tokens=tokens) as session:
        for name in ("orders", "patients", "lab_orders"):
            with pytest.raises(AuthError, match="refused everywhere") as caught:
                next(session.pages(name))
    assert caught.value.exit_code == 77
    assert tokens.number == 2
    assert len(server.requests) == 2 + 5 + 2  # twice, the other witnesses; then once each


def test_a_token_that_dies_later_is_found_out() -> None:
    """A denied endpoint does not hide that the token has stopped working since."""
    server_side = Denying({"/clinic/labs/orders": Reply(401)})
    with odd_server(server_side) as server, session_at(server.url) as session:
        with pytest.raises(ScopeError):
            next(session.pages("lab_orders"))
        server_side.alive = {"none"}
        with pytest.raises(AuthError):
            next(session.pages("orders"))
        with pytest.raises(AuthError):
            next(session.pages("lab_orders"))


def test_a_token_that_expires_is_renewed_after_an_endpoint_was_denied() -> None:
    server_side = Denying({"/clinic/labs/orders": Reply(401)})
    with odd_server(server_side) as server, session_at(server.url) as session:
        with pytest.raises(ScopeError):
            next(session.pages("lab_orders"))
        server_side.alive = {"token-3"}
        assert session.fetch_object("clinic").record == {"id": "c-1"}


def test_a_new_token_that_is_not_known_everywhere_yet_is_no_refusal() -> None:
    answers = iter([Reply(401), Reply(401)])

    def answer(seen: Seen) -> Reply:
        return Denying()(seen) if seen.path != "/clinic/orders" else next(answers, Denying()(seen))

    with odd_server(answer) as server, session_at(server.url) as session:
        assert next(session.pages("orders")).records == []
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [401, 404])
@pytest.mark.parametrize("reply", [Reply(500), Reply(429, headers={"Retry-After": "999"}), Reply(drop=True)])
def test_where_no_witness_can_be_heard_nothing_is_concluded(status: int, reply: Reply) -> None:
    def answer(seen: Seen) -> Reply:
        return Reply(status) if seen.path == "/clinic/orders/1" else reply

    with odd_server(answer) as server, session_at(server.url) as session, pytest.raises(Exception) as caught:
        session.fetch_object("order", path={"id": "1"})
    assert getattr(caught.value, "exit_code", None) == 69, caught.value


WEBSITES: dict[str, Callable[[Seen], Reply]] = {
    "nothing there": lambda _: Reply(404),
    "a website's page": lambda _: Reply(404, b"<html>no such page</html>"),
    "a website that shows a page for every other path": lambda seen: (
        Reply(404) if "orders/" in seen.path else Reply(200, b"<html>hello</html>")
    ),
    "a website that sends to its login": lambda seen: (
        Reply(404) if "orders/" in seen.path else Reply(302, headers={"Location": "/login"})
    ),
}


@pytest.mark.parametrize("website", WEBSITES)
def test_where_nothing_is_there_the_address_is_wrong_and_nobody_is_gone(website: str) -> None:
    with (
        odd_server(WEBSITES[website]) as server,
        session_at(server.url) as session,
        pytest.raises(WrongAddress, match=r"Set FULLSCRIPT_US_SND_API_URL to .* ends in /api, like https://") as caught,
    ):
        session.fetch_object("order", path={"id": "o-1"})
    assert isinstance(caught.value, ConfigurationError)
    assert caught.value.exit_code == 78


def test_a_404_where_others_answer_is_no_wrong_address_and_is_checked_once() -> None:
    replies = {f"/clinic/orders/{n}": Reply(404) for n in range(5)}
    with odd_server(Denying(replies)) as server, session_at(server.url) as session:
        for number in range(5):
            with pytest.raises(NotFound):
                session.fetch_object("order", path={"id": str(number)})
    assert len(server.requests) == 6


def test_a_server_that_denies_everything_else_is_there_all_the_same() -> None:
    def answer(seen: Seen) -> Reply:
        return Reply(404) if seen.path == "/clinic/labs/orders" else Reply(403)

    with odd_server(answer) as server, session_at(server.url) as session, pytest.raises(NotFound):
        next(session.pages("lab_orders"))
