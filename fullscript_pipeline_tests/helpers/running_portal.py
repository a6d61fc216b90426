"""A running portal over a sandbox: real HTTP, small pages of every clinic, users who sign in through the whole flow.

The pages are not those of a pull: a line with the patient's name is enough to see who is shown whom. What does not
belong here: assertions.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
import uvicorn

from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.web import Limits, Portal, TryLimit, configure, create_app, server_options
from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    PATIENTS,
    RunningProvider,
    running_provider,
)
from fullscript_pipeline_tests.helpers.pipeline import environment
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox

WEB_KEY = "gcQ3jmdbTf1VXkPVGB4oqUS0kPq0u4dWFhXf0cQhXkE"
ENOUGH = TryLimit(burst=10**9, per_second=1)
PAGE = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src &#39;sha256-x&#39;; form-action 'none'\">\n"
    "<title>{name}</title>\n</head>\n<body>\n<main><h1>{name}</h1> of {clinic}</main>\n</body>\n</html>\n"
)


@dataclass
class MovableClock:
    """Real time, and what a test adds to it."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class RunningPortal:
    """`patients`: by clinic (slug), names by id; `plans`: by clinic, the patient's id by plan id."""

    url: str
    portal: Portal
    sandbox: RunningSandbox
    clock: MovableClock
    keys: dict[str, str]
    patients: dict[str, dict[str, str]]
    plans: dict[str, dict[str, str]]
    reports: Path
    provider: RunningProvider | None = None
    clients: list[httpx.Client] = field(default_factory=list)

    def browser(self) -> httpx.Client:
        """Somebody who is not signed in; redirects are not followed."""
        client = httpx.Client(base_url=self.url, trust_env=False, timeout=30)
        self.clients.append(client)
        return client

    def begin(
        self, client: httpx.Client, slug: str, user: str = "", *, invitation: str = "", **answer: str
    ) -> httpx.Response:
        """From the button to what Fullscript sends back: the redirect to the callback, not followed."""
        server = self.sandbox.clinics[slug]["server"]
        params = {"invitation": invitation} if invitation else {}
        there = client.get(f"/signin/{server}", params=params).headers["location"]
        login = answer or {"login": f"{slug}/{user}" if user else slug}
        return httpx.get(f"{there}&{urlencode(login)}", trust_env=False)

    def sign_in(self, slug: str, user: str = "") -> httpx.Client:
        """A browser in which this user of the sandbox has signed in."""
        client = self.browser()
        client.get(self.begin(client, slug, user).headers["location"])
        return client

    def form_key(self, client: httpx.Client, slug: str) -> str:
        """What forms of this browser's session hold."""
        return (
            client.get(f"{self.url}/clinics/{self.keys[slug]}/")
            .text.partition('name="form_key" value="')[2]
            .partition('"')[0]
        )

    def events(self) -> list[str]:
        return [str(entry["event"]) for entry in self.portal.audit.entries()]


@contextmanager
def running_portal(directory: Path, monkeypatch: Any, **options: Any) -> Iterator[RunningPortal]:
    """A sandbox with `options`, the clinics' pages, and the portal over them; `has_operators`: and their provider.

    `reports`: the folder in which the server of a bucket keeps the pages.
    """
    reports: Path | None = options.pop("reports", None)
    settings = {name: options.pop(name) for name in list(options) if name.startswith("web_")}
    without_pages, embeds = options.pop("without_pages", ()), bool(options.pop("embeds", False))
    has_operators, port, clock = options.pop("has_operators", False), free_port(), MovableClock()
    url = f"http://127.0.0.1:{port}"
    if without_pages:
        # The pipeline's app is answered by the portal, too.
        options["redirect_uri"] = f"{url}/callback"
    with ExitStack() as stack:
        running_there = running_sandbox(directory / "sandbox", portal_redirect_uri=f"{url}/callback", **options)
        sandbox = stack.enter_context(running_there)
        provider = stack.enter_context(running_provider(f"{url}/operators/callback")) if has_operators else None
        for name, value in _operator_environment(provider).items():
            monkeypatch.setenv(name, value)
        for name, value in portal_environment(sandbox, directory / "data", url, embeds=embeds).items():
            monkeypatch.setenv(name, value)
        configuration = configure(load_settings(**settings))
        portal = Portal.open(configuration, clock, Limits(requests=ENOUGH, sign_ins=ENOUGH, readings=ENOUGH))
        reports = reports or Path(configuration.pages.address(""))
        running = RunningPortal(url, portal, sandbox, clock, {}, {}, {}, reports, provider)
        for slug in sandbox.clinics.keys() - set(without_pages):
            write_clinic_files(reports, running, slug)
        with _served(portal, port):
            try:
                yield running
            finally:
                for client in running.clients:
                    client.close()
        portal.close()


def portal_environment(sandbox: RunningSandbox, data_dir: Path, url: str, *, embeds: bool = False) -> dict[str, str]:
    """The settings that point a portal at a sandbox."""
    variables = environment(sandbox, data_dir, sandbox.redirect_uri)
    for name, app in sandbox.apps.items():
        prefix = f"FULLSCRIPT_{name.upper().replace('-', '_')}_WEB_"
        variables |= {
            f"{prefix}CLIENT_ID": app["portal_client_id"],
            f"{prefix}CLIENT_SECRET": app["portal_client_secret"],
        }
        if embeds:
            server = prefix.removesuffix("WEB_")
            variables |= {f"{server}EMBED_PUBLIC_KEY": "pk-of-the-portal", f"{server}EMBED_URL": sandbox.base_url}
    return variables | {"FULLSCRIPT_WEB_URL": url, "FULLSCRIPT_WEB_KEY": WEB_KEY}


def _operator_environment(provider: RunningProvider | None) -> dict[str, str]:
    if provider is None:
        return {}
    prefix = "FULLSCRIPT_WEB_OIDC_"
    return {
        f"{prefix}ISSUER": provider.issuer,
        f"{prefix}CLIENT_ID": CLIENT_ID,
        f"{prefix}CLIENT_SECRET": CLIENT_SECRET,
        f"{prefix}PATIENT_ROLE": PATIENTS,
    }


def write_operators_file(running: RunningPortal, clinics: Sequence[str]) -> None:
    """What the pipeline would write for operators, in short."""
    finding = {"id": "clinic.pull", "state": "fail", "what": "the last pull is 3 days old", "fix": "Run `pull`."}
    content = {
        "version": 1,
        "written_at": "2026-11-22T10:00:00+00:00",
        "clinics": [
            {"clinic_key": key, "region": "us", "server": "us-snd", "status": "ok", "connected_at": None,
             "pulled_at": "2026-11-19T10:00:00+00:00"}
            for key in clinics
        ],
        "catalogs": [{"region": "us", "read_at": None}],
        "findings": [finding, finding | {"state": "pass", "what": "all well", "fix": None}],
    }  # fmt: skip
    (running.reports / "operators.json").write_bytes(orjson.dumps(content))


def write_clinic_files(reports: Path, running: RunningPortal, slug: str) -> None:
    """What the pipeline would write of a clinic, in short."""
    clinic = running.sandbox.clinics[slug]
    folder = reports / "clinics" / slug
    (folder / "patients").mkdir(parents=True)
    with running.sandbox.client(slug) as api:
        rows = []
        for person in _rows(api, "/clinic/patients?page[size]=100"):
            plans = _rows(api, f"/clinic/patients/{person['id']}/treatment_plans")
            rows.append(_patient(person, [str(plan["id"]) for plan in plans if plan["state"] == "active"]))
    content = {
        "version": 1,
        "clinic_id": clinic["clinic_id"],
        "clinic_key": slug,
        "region": clinic["region"],
        "name": clinic["name"],
        "language": "en",
        "data_as_of": "22 Nov 2026",
        "stale": None,
        "practitioners": {},
        "patients": rows,
    }
    (folder / "portal.json").write_bytes(orjson.dumps(content))
    (folder / "index.html").write_text(PAGE.format(name=" / ".join(row["name"] for row in rows), clinic=slug))
    for row in rows:
        (folder / "patients" / f"{row['file']}.html").write_text(PAGE.format(name=row["name"], clinic=slug))
    running.keys[slug] = slug
    running.patients[slug] = {row["id"]: row["name"] for row in rows}
    running.plans[slug] = {plan: row["id"] for row in rows for plan in row["plans"]}


def _rows(api: httpx.Client, path: str) -> list[dict[str, Any]]:
    body = api.get(path).raise_for_status().json()
    return next(value for value in body.values() if isinstance(value, list))


def _patient(person: dict[str, Any], plans: list[str]) -> dict[str, Any]:
    call = {
        "days": len(plans),
        "waits": f"{len(plans)} days late",
        "verdict": "Late",
        "product": "Magnesium",
        "others": 0,
        "step": "Ask whether they want a refill.",
        "set_aside_until": None,
    }
    return {
        "id": str(person["id"]),
        "file": str(person["id"]),
        "has_page": True,
        "name": f"{person['first_name']} {person['last_name']}",
        "sort_name": f"{person['last_name']}, {person['first_name']}",
        "born_on": person["date_of_birth"],
        "born": person["date_of_birth"],
        "archived": False,
        "practitioner_ids": [],
        "practitioner": "",
        "contact": person["email"],
        "guardian": None,
        "external_id": None,
        "plans": plans,
        "call": call if plans else None,
    }


@contextmanager
def _served(portal: Portal, port: int) -> Iterator[None]:
    config = server_options(create_app(portal), port=port)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 15
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)
