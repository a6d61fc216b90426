"""Settings and a store for a running sandbox, and its clinics connected through the real flow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.api.authorization_flow import ConnectFlow
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.free_ports import free_redirect_uri
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox


def environment(sandbox: RunningSandbox, data_dir: Path) -> dict[str, str]:
    """What FULLSCRIPT_* must be to talk to `sandbox`."""
    variables = {"FULLSCRIPT_DATA_DIR": str(data_dir), "FULLSCRIPT_REDIRECT_URI": sandbox.redirect_uri}
    for name, app in sandbox.apps.items():
        prefix = f"FULLSCRIPT_{name.upper().replace('-', '_')}_"
        for key in ("client_id", "client_secret", "api_url", "authorize_url"):
            variables[prefix + key.upper()] = str(app[key])
    return variables


@contextmanager
def settings_for(sandbox: RunningSandbox, data_dir: Path, **more: str) -> Iterator[Settings]:
    """Settings read from an environment that holds nothing else of ours, while the block runs."""
    ours = {**environment(sandbox, data_dir), **more}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FULLSCRIPT_")}
    with patch.dict(os.environ, {**inherited, **ours}, clear=True):
        settings = load_settings()
        settings.prepare_data_dir()
        yield settings


def sign_in(flow: ConnectFlow, clinic: str, user: str = "") -> httpx.Response:
    """What the browser of the clinic's owner, or another user, does: the authorize page, back to our callback."""
    login = f"{clinic}/{user}" if user else clinic
    return httpx.get(f"{flow.authorize_url}&login={login}", follow_redirects=True, trust_env=False)


def connect(settings: Settings, store: StateStore, sandbox: RunningSandbox, clinic: str, user: str = "") -> ClinicRef:
    """Connect the sandbox's clinic with this slug, as its owner or as `user` (`practitioner-2`, `staff-1`)."""
    with ConnectFlow(settings, store, str(sandbox.clinics[clinic]["server"])) as flow:
        assert sign_in(flow, clinic, user).status_code == 200
        return flow.wait(10).clinic


@contextmanager
def connected(
    tmp_path: Path, *, state_url: str = "", **options: Any
) -> Iterator[tuple[RunningSandbox, Settings, StateStore, ClinicRef]]:
    """A small sandbox with its first clinic connected; the state store is a file, or at `state_url`."""
    variables = {"FULLSCRIPT_ENCRYPTION_KEY": "a key"} | ({"FULLSCRIPT_STATE_URL": state_url} if state_url else {})
    with (
        running_sandbox(tmp_path / "sandbox", redirect_uri=free_redirect_uri(), **options) as sandbox,
        settings_for(sandbox, tmp_path / "data", **variables) as settings,
        StateStore.open(settings) as store,
    ):
        clinic = connect(settings, store, sandbox, next(iter(sandbox.clinics)))
        yield sandbox, settings, store, clinic


def token_calls(sandbox: RunningSandbox) -> dict[int, int]:
    """How often the token endpoint was asked since the last reset, by status."""
    rows = [row for row in sandbox.control.requests()["counts"] if row["endpoint"] == "/oauth/token"]
    return {int(row["status"]): int(row["count"]) for row in rows}
