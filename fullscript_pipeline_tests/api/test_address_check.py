"""Wrong addresses and wrong apps are told before a person signs in; what proves nothing refuses nobody."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from fullscript_pipeline.api import WrongAddress, check_api_address, check_sign_in_page
from fullscript_pipeline.api.errors import AppRefused
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.servers import SERVERS
from fullscript_pipeline.settings import ServerSettings
from fullscript_pipeline_tests.helpers.command_runs import Run
from fullscript_pipeline_tests.helpers.free_ports import free_redirect_uri
from fullscript_pipeline_tests.helpers.pipeline import environment
from fullscript_pipeline_tests.helpers.sandbox_server import running_sandbox
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server

REDIRECT = "http://127.0.0.1:8765/callback"
PAGE = b"<html>welcome</html>"


def _server(url: str, name: str = "us-snd", **changes: str) -> ServerSettings:
    api_url, sign_in = changes.get("api_url", url), changes.get("authorize_url", f"{url}/oauth/authorize")
    return ServerSettings(
        name=name,
        region="us",
        is_production=False,
        client_id="the-id",
        client_secret="canary-secret",
        api_url=api_url,
        authorize_url=sign_in,
    )


def _api(seen: Seen) -> Reply:
    """A server whose API is under /api; its website answers elsewhere."""
    if seen.path in ("/api/clinic", "/api/oauth/token"):
        return Reply(401, {"error": "x"})
    return Reply(404, PAGE)


def _website(seen: Seen) -> Reply:
    """Of a website that shows its page, or its login, for everything but the API."""
    return _api(seen) if seen.path.startswith("/api/c") else Reply(200, PAGE)


def _login(seen: Seen) -> Reply:
    return _api(seen) if seen.path.startswith("/api/c") else Reply(302, headers={"Location": "/login"})


@pytest.mark.parametrize("answer", [_api, _website, _login])
@pytest.mark.parametrize("path", ["", "/api/api", "/api/v1", "/apis"])
def test_an_address_beside_the_api_names_the_variable_and_what_was_meant(
    answer: Callable[[Seen], Reply], path: str
) -> None:
    with odd_server(answer) as server, pytest.raises(WrongAddress) as caught:
        check_api_address(_server(f"{server.url}{path}"))
    assert isinstance(caught.value, ConfigurationError)
    assert caught.value.exit_code == 78
    assert "FULLSCRIPT_US_SND_API_URL" in str(caught.value)
    assert "ends in /api, like https://api-us-snd.fullscript.io/api" in str(caught.value)
    if path != "/apis":
        assert f"at {server.url}/api (" in str(caught.value)
    # Whoever is there is told no secret.
    assert not [seen for seen in server.requests if b"canary" in seen.body or "authorization" in seen.headers]


def test_the_right_address_costs_one_request() -> None:
    with odd_server(_api) as server:
        assert check_api_address(_server(f"{server.url}/api")) is True
    assert [seen.path for seen in server.requests] == ["/api/clinic"]


@pytest.mark.parametrize(
    "reply", [Reply(500), Reply(503, PAGE), Reply(429), Reply(drop=True), Reply(200, {"clinic": {}}), Reply(418)]
)
def test_what_proves_nothing_refuses_nobody(reply: Reply) -> None:
    with odd_server([reply]) as server:
        assert check_api_address(_server(server.url)) is False
        assert check_sign_in_page(_server(server.url), REDIRECT) is (reply.status == 200 and not reply.drop)


def test_a_server_that_hides_its_endpoints_from_callers_without_a_token_is_not_refused() -> None:
    def answer(seen: Seen) -> Reply:
        return Reply(400, {"error": "invalid_request"}) if seen.path == "/api/oauth/token" else Reply(404)

    with odd_server(answer) as server:
        assert check_api_address(_server(f"{server.url}/api")) is False
    assert orjson.loads(server.requests_to("/api/oauth/token")[0].body) == {"grant_type": "none"}


@pytest.mark.parametrize("name", SERVERS)
def test_another_region_s_address_is_reported_without_a_request(name: str) -> None:
    other = "ca" if name.startswith("us") else "us"
    theirs = SERVERS[other].addresses[0]
    api, authorize = {"api_url": theirs.api_url}, {"authorize_url": theirs.authorize_url}
    for wrong, variable in ((api, "API_URL"), (authorize, "AUTHORIZE_URL")):
        with pytest.raises(WrongAddress, match=f"address of the server {other} .*FULLSCRIPT_.*_{variable}"):
            check_api_address(_server("http://127.0.0.1:9/api", name, **wrong))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, PAGE),
        Reply(400, {"error": "invalid_request"}),
        Reply(401, {"error": "invalid_client"}),
        Reply(401, b"<html>The redirect uri included is not valid.</html>"),
        Reply(422, {"error": "Redirect URI mismatch"}),
    ],
)
def test_a_sign_in_page_that_does_not_know_the_app_is_reported(reply: Reply) -> None:
    with odd_server([reply]) as server, pytest.raises(AppRefused) as caught:
        check_sign_in_page(_server(server.url), REDIRECT)
    assert caught.value.exit_code == 78
    for named in ("FULLSCRIPT_US_SND_CLIENT_ID", "FULLSCRIPT_REDIRECT_URI", REDIRECT, "the vendor's API dashboard"):
        assert named in str(caught.value)
    assert server.requests[0].query["client_id"] == "the-id"
    assert server.requests[0].query["redirect_uri"] == REDIRECT
    assert "text/html" in server.requests[0].headers["accept"]


@pytest.mark.parametrize(
    ("reply", "recognised"),
    [
        (Reply(200, PAGE), True),
        (Reply(302, headers={"Location": "/login"}), True),
        (Reply(401, b"who are you?"), False),
        (Reply(403, b"<html>are you human?</html>"), False),
        (Reply(406), False),
    ],
)
def test_any_other_sign_in_page_refuses_nobody(reply: Reply, recognised: bool) -> None:
    with odd_server([reply]) as server:
        assert check_sign_in_page(_server(server.url), REDIRECT) is recognised


def _cut(url: str) -> str:
    return url.removesuffix("/api")


@pytest.mark.parametrize(
    ("variable", "change", "words"),
    [
        ("FULLSCRIPT_US_SND_API_URL", _cut, "FULLSCRIPT_US_SND_API_URL"),
        ("FULLSCRIPT_US_SND_API_URL", lambda url: f"{url}/api", "FULLSCRIPT_US_SND_API_URL"),
        ("FULLSCRIPT_US_SND_CLIENT_ID", lambda _: "another", "FULLSCRIPT_US_SND_CLIENT_ID"),
        ("FULLSCRIPT_REDIRECT_URI", lambda url: f"{url}/", "FULLSCRIPT_REDIRECT_URI"),
    ],
)
def test_connect_and_doctor_report_it_before_anybody_signs_in(
    run: Run, tmp_path: Path, variable: str, change: Callable[[str], str], words: str
) -> None:
    with running_sandbox(tmp_path / "sandbox", redirect_uri=free_redirect_uri()) as sandbox:
        variables = environment(sandbox, tmp_path / "data", sandbox.redirect_uri)
        variables[variable] = change(variables[variable])
        del variables["FULLSCRIPT_DATA_DIR"]
        done = run("connect", "us-snd", "--no-browser", data=tmp_path / "data", **variables)
        assert (done.returncode, done.stdout) == (78, "")
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        checked = run("doctor", data=tmp_path / "data", **variables)
        assert checked.returncode == 78
        failed = "server.us-snd.address" if variable.endswith("API_URL") else "server.us-snd.sign_in"
        line = next(line for line in checked.stdout.splitlines() if failed in line)
        assert "fail" in line
