"""Serves a sandbox in this process, and turns its errors into ours: for `sandbox serve` and `probe --replay`.

What does not belong here: the other commands of the sandbox (`cli.sandbox`), how it behaves (`sandbox`).
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fullscript_pipeline.cli.console import print_data
from fullscript_pipeline.errors import Busy, UsageError
from fullscript_pipeline.sandbox.client import SandboxControl
from fullscript_pipeline.sandbox.errors import SandboxBusy, SandboxError
from fullscript_pipeline.sandbox.server import serve
from fullscript_pipeline.settings import Settings


def serve_sandbox(settings: Settings, directory: Path, *, port: int, **options: Any) -> None:
    """Serves a sandbox with its state in a directory until stopped, and prints the settings that connect to it."""
    with sandbox_errors_as_ours():
        # In a thread of its own: the server cannot answer us while it waits for this call.
        serve(
            directory,
            port=port,
            redirect_uri=settings.redirect_uri,
            portal_redirect_uri=f"{settings.web_url}/callback",
            on_ready=lambda url: threading.Thread(target=_print_settings, args=(url, settings), daemon=True).start(),
            **options,
        )


def _print_settings(base_url: str, settings: Settings) -> None:
    """The line that says it listens, then the settings that point the pipeline at it: a `.env`, as it stands."""
    print_data(f"# sandbox ready {base_url}")
    with SandboxControl(base_url) as control:
        for name, server in control.state()["servers"].items():
            prefix = f"FULLSCRIPT_{name.upper().replace('-', '_')}_"
            for variable, key in (
                ("CLIENT_ID", "client_id"),
                ("CLIENT_SECRET", "client_secret"),
                ("API_URL", "api_url"),
                ("AUTHORIZE_URL", "authorize_url"),
                ("WEB_CLIENT_ID", "portal_client_id"),
                ("WEB_CLIENT_SECRET", "portal_client_secret"),
                ("WEBHOOK_CHALLENGE_TOKEN", "webhook_challenge_token"),
                ("WEBHOOK_SIGNATURE_KEYS", "webhook_signature_key"),
            ):
                print_data(f"{prefix}{variable}={server[key]}")
    print_data(f"FULLSCRIPT_REDIRECT_URI={settings.redirect_uri}")
    print_data(f"FULLSCRIPT_WEB_URL={settings.web_url}")
    sys.stdout.flush()


@contextmanager
def sandbox_errors_as_ours() -> Iterator[None]:
    """Raises Busy and UsageError for the errors of the sandbox."""
    try:
        yield
    except SandboxBusy as error:
        raise Busy(str(error)) from None
    except SandboxError as error:
        raise UsageError(str(error)) from None
