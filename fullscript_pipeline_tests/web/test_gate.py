"""What holds for every answer: headers, the Host, the number of tries; and what other sites cannot do."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.web import Portal, create_app, server_options
from fullscript_pipeline.web.gate import Gate
from fullscript_pipeline.web.rate_limit import Limits, TryLimit
from fullscript_pipeline_tests.helpers.running_portal import RunningPortal

CLINIC = "maple-street"


def test_every_answer_protects_the_browser(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC)
    patient = next(iter(portal.patients[CLINIC]))
    for path in ("/", "/nothing", "/static/portal.css", f"/clinics/{CLINIC}/", f"/clinics/{CLINIC}/patients/{patient}"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "unsafe-inline" not in policy and "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy and "form-action 'self'" in policy
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
        assert "server" not in headers and "strict-transport-security" not in headers


def test_a_page_of_the_last_run_keeps_its_own_policy_as_a_header(portal: RunningPortal) -> None:
    client, patient = portal.sign_in(CLINIC), next(iter(portal.patients[CLINIC]))
    answer = client.get(f"/clinics/{CLINIC}/patients/{patient}")
    assert "'self' 'sha256-x'" in answer.headers["content-security-policy"]
    assert "http-equiv" not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost"])
def test_another_host_is_not_answered(portal: RunningPortal, host: str) -> None:
    assert portal.browser().get("/", headers={"Host": host}).status_code == 421
    assert portal.browser().get("/healthz", headers={"Host": host}).json() == {"status": "ok"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_of_another_site_does_nothing(portal: RunningPortal, headers: dict[str, str]) -> None:
    client = portal.sign_in(CLINIC)
    form = {"form_key": portal.form_key(client, CLINIC)}
    assert client.post("/signout", data=form, headers=headers).status_code == 404
    assert client.get(f"/clinics/{CLINIC}/").status_code == 200


def test_the_key_of_anothers_form_does_nothing(portal: RunningPortal) -> None:
    mine, theirs = portal.sign_in(CLINIC), portal.sign_in(CLINIC)
    assert mine.post("/signout", data={"form_key": portal.form_key(theirs, CLINIC)}).status_code == 404
    assert mine.post("/signout", content=b"x" * 70_000).status_code == 404
    assert mine.get(f"/clinics/{CLINIC}/").status_code == 200


def test_tries_are_limited_and_come_back() -> None:
    now = 0.0
    limit = TryLimit(burst=3, per_second=1.0, now=lambda: now)
    assert [limit.allows("a") for _ in range(4)] == [True, True, True, False]
    assert limit.allows("b")
    now = 2.0
    assert [limit.allows("a") for _ in range(3)] == [True, True, False]


def test_an_https_portal_says_so_and_sign_ins_are_limited() -> None:
    gate = Gate(_nothing, host="portal.example", is_https=True, limits=Limits())

    async def sign_in_often() -> list[httpx.Response]:
        transport = httpx.ASGITransport(gate)
        async with httpx.AsyncClient(transport=transport, base_url="https://portal.example") as client:
            return [await client.get("/signin/us") for _ in range(60)]

    answers = asyncio.run(sign_in_often())
    assert answers[0].headers["strict-transport-security"].startswith("max-age=31536000")
    assert [answer.status_code for answer in answers].count(429) >= 15


def test_cookies_of_an_https_portal_are_host_cookies(portal: RunningPortal, tmp_path: Path) -> None:
    configuration = replace(portal.portal.configuration, url="https://portal.example", store=tmp_path / "portal.sqlite")
    opened = Portal.open(configuration)

    async def begin() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(opened))
        async with httpx.AsyncClient(transport=transport, base_url="https://portal.example") as client:
            return await client.get("/signin/us-snd")

    cookie = asyncio.run(begin()).headers["set-cookie"]
    opened.close()
    assert cookie.startswith("__Host-portal_signin=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure", "Max-Age=600"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    ("sender", "refused"), [("10.1.2.3", 0), ("192.0.2.7", 18)], ids=["behind the proxy", "somebody else"]
)
def test_only_a_proxy_of_ours_says_whose_request_it_is(sender: str, refused: int) -> None:
    """Behind a proxy on another machine each browser has its own tries; nobody else has more by naming others."""
    limits = Limits(requests=TryLimit(burst=2, per_second=0.001))
    gate = Gate(_nothing, host="portal.example", is_https=True, limits=limits)
    config = server_options(gate, proxies=("10.1.0.0/16",))
    config.load()

    async def send() -> list[int]:
        transport = httpx.ASGITransport(config.loaded_app, client=(sender, 1))
        async with httpx.AsyncClient(transport=transport, base_url="https://portal.example") as client:
            browsers = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(20)]
            return [(await client.get("/", headers=headers)).status_code for headers in browsers]

    assert asyncio.run(send()).count(429) == refused


def test_an_idle_connection_stays_open_longer_than_proxies_keep_it() -> None:
    """Closed by us in the moment in which nginx (60 s) uses it again, it would be a failed request."""
    assert server_options(_nothing).timeout_keep_alive > 60


@pytest.mark.parametrize("proxies", ["0.0.0.0/0", "proxy.example", "10.0.0.1/8"])
def test_a_proxy_is_an_address(monkeypatch: pytest.MonkeyPatch, proxies: str) -> None:
    monkeypatch.setenv("FULLSCRIPT_WEB_PROXIES", proxies)
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_WEB_PROXIES"):
        load_settings()


async def _nothing(_scope: object, _receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]
