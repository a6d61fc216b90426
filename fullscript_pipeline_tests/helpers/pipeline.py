"""A data directory connected to a running sandbox through the real OAuth flow, for tests of any room.

What does not belong here: assertions.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from fullscript_pipeline.api.authorization_flow import ConnectFlow
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline_tests.helpers.free_ports import free_redirect_uri
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox


@dataclass
class Connected:
    """A sandbox, and a data directory whose environment is set for it."""

    sandbox: RunningSandbox
    settings: Settings
    store: StateStore

    def connect(self, slug: str, user: str = "") -> str:
        """Connects a clinic of the sandbox as its owner, or as another user; its clinic key."""
        server = self.sandbox.clinics[slug]["server"]
        with ConnectFlow(self.settings, self.store, server) as flow:
            url = f"{flow.authorize_url}&{urlencode({'login': f'{slug}/{user}' if user else slug})}"
            browser = threading.Thread(target=lambda: httpx.get(url, follow_redirects=True, trust_env=False))
            browser.start()
            result = flow.wait(30)
            browser.join()
        return result.clinic.clinic_key

    def set_clock(self) -> None:
        """The pipeline's clock follows the sandbox's."""
        os.environ["FULLSCRIPT_NOW"] = str(self.sandbox.control.state()["clock"])


@contextmanager
def connected_pipeline(
    directory: Path, *, clinics: int | None = None, world_clinics: int = 3, **options: Any
) -> Iterator[Connected]:
    """A sandbox of small size and a fresh data directory with every clinic connected (or the first `clinics`)."""
    before = dict(os.environ)
    redirect = free_redirect_uri()
    try:
        with running_sandbox(directory / "sandbox", redirect_uri=redirect, clinics=world_clinics, **options) as sandbox:
            os.environ.update(environment(sandbox, directory / "data", redirect))
            settings = load_settings()
            settings.prepare_data_dir()
            with StateStore.open(settings) as store:
                connected = Connected(sandbox, settings, store)
                connected.set_clock()
                for slug in list(sandbox.clinics)[:clinics]:
                    connected.connect(slug)
                yield connected
    finally:
        detach_all()  # who removes the directory next must find nobody writing in it
        os.environ.clear()
        os.environ.update(before)


def environment(sandbox: RunningSandbox, data_dir: Path, redirect: str) -> dict[str, str]:
    """The settings that point the pipeline at a sandbox."""
    variables = {"FULLSCRIPT_DATA_DIR": str(data_dir), "FULLSCRIPT_REDIRECT_URI": redirect}
    for name, app in sandbox.apps.items():
        prefix = f"FULLSCRIPT_{name.upper().replace('-', '_')}_"
        variables |= {
            f"{prefix}{key.upper()}": str(app[key])
            for key in ("client_id", "client_secret", "api_url", "authorize_url")
        }
    return variables
