"""A running sandbox for any room's tests: real HTTP on loopback, an OS-picked port, a small deterministic world.

    with running_sandbox(tmp_path, patients=12) as sandbox:
        sandbox.base_url, sandbox.control.advance(days=1), sandbox.connect("maple-street")

Options are those of `settings.Settings`: seed, clinics, patients, products, history_days, start, redirect_uri, scopes,
token_seconds, rate_limit, rate_window, assigned_patients_only, quirks. Faults are armed with `control.arm(kind, ...)`.
What does not belong here: anything that knows the pipeline.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from fullscript_pipeline.sandbox.client import SandboxControl
from fullscript_pipeline.sandbox.server import serving

START = date(2026, 11, 22)


@dataclass
class RunningSandbox:
    """A sandbox that runs; `apps` and `clinics` are what the control plane said of servers and clinics at the start."""

    base_url: str
    control: SandboxControl
    apps: dict[str, dict[str, Any]]
    clinics: dict[str, dict[str, Any]]
    redirect_uri: str

    def api_url(self, clinic: str) -> str:
        """The API base of the server a clinic is on."""
        return str(self.apps[self.clinics[clinic]["server"]]["api_url"])

    def authorize(self, clinic: str, state: str = "abc", user: str = "") -> httpx.Response:
        """What that clinic's owner, or another user, gets from the authorize page (a redirect, not followed)."""
        app = self.apps[self.clinics[clinic]["server"]]
        params = {
            "client_id": app["client_id"],
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "state": state,
            "login": f"{clinic}/{user}" if user else clinic,
        }
        return httpx.get(app["authorize_url"], params=params, trust_env=False)

    def code(self, clinic: str, user: str = "") -> str:
        """A fresh authorization code of that clinic."""
        return parse_qs(urlsplit(self.authorize(clinic, user=user).headers["location"]).query)["code"][0]

    def connect(self, clinic: str, user: str = "") -> dict[str, Any]:
        """The `oauth` object of a fresh token of that clinic, got through the whole flow."""
        app = self.apps[self.clinics[clinic]["server"]]
        form = {
            "grant_type": "authorization_code",
            "client_id": app["client_id"],
            "client_secret": app["client_secret"],
            "code": self.code(clinic, user),
            "redirect_uri": self.redirect_uri,
        }
        answer = httpx.post(f"{app['api_url']}/oauth/token", json=form, trust_env=False)
        return dict(answer.raise_for_status().json()["oauth"])

    def client(self, clinic: str, user: str = "") -> httpx.Client:
        """An HTTP client of that clinic's API with a fresh token; close it (it is a context manager)."""
        token = self.connect(clinic, user)["access_token"]
        return httpx.Client(
            base_url=self.api_url(clinic), headers={"Authorization": f"Bearer {token}"}, trust_env=False
        )


@contextmanager
def running_sandbox(
    directory: Path,
    *,
    patients: int = 12,
    products: int = 20,
    history_days: int = 30,
    start: date = START,
    **options: Any,
) -> Iterator[RunningSandbox]:
    """Starts a sandbox in a thread with its state in `directory` (give the same one again to restart it)."""
    sizes: dict[str, Any] = {"patients": patients, "products": products, "history_days": history_days, "start": start}
    with serving(directory, **sizes, **options) as base_url, SandboxControl(base_url) as control:
        state = control.state()
        clinics = {clinic["slug"]: clinic for clinic in state["clinics"]}
        yield RunningSandbox(base_url, control, state["servers"], clinics, state["redirect_uri"])
