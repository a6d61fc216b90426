"""What a session call costs over bare httpx: token, budget, retries, bounds, parsing, the error family.

PYTHONPATH=. python benchmarks/session.py [CALLS]

CPU time of this process (threads included) per call, the server being another process; rounds alternate, the median
counts. The promise: at most 0.5 ms more than `httpx.Client.get(...).json()`.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from fullscript_pipeline.api import open_session
from fullscript_pipeline.api.authorization_flow import ConnectFlow
from fullscript_pipeline.cli.subprocesses import sandbox_server
from fullscript_pipeline.sandbox.client import SandboxControl
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.free_ports import free_redirect_uri

ROUNDS = 9


def milliseconds_a_call(call: Callable[[], object], calls: int) -> float:
    """CPU milliseconds, our threads included."""
    begun = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - begun) / calls * 1000


def main(calls: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        redirect = free_redirect_uri()
        options = ("--redirect-uri", redirect, "--patients", "12", "--products", "20", "--rate-limit", "1000000")
        with sandbox_server(f"{folder}/sandbox", 0, *options) as url, SandboxControl(url) as control:
            state = control.state()
            app = state["servers"]["us-snd"]
            os.environ |= {f"FULLSCRIPT_US_SND_{key.upper()}": app[key] for key in ("client_id", "client_secret")}
            os.environ |= {f"FULLSCRIPT_US_SND_{key.upper()}": app[key] for key in ("api_url", "authorize_url")}
            os.environ |= {"FULLSCRIPT_DATA_DIR": f"{folder}/data", "FULLSCRIPT_REDIRECT_URI": redirect}
            os.environ |= {"FULLSCRIPT_ENCRYPTION_KEY": "a key", "FULLSCRIPT_REQUESTS_PER_5_MIN": "5000"}
            compare(calls)


def compare(calls: int) -> None:
    """Prints both costs, their difference and ratio."""
    settings = load_settings()
    settings.prepare_data_dir()
    with StateStore(Path(settings.state_path), settings.encryption_key) as store:
        with ConnectFlow(settings, store, "us-snd") as flow:
            slug = "maple-street"
            httpx.get(f"{flow.authorize_url}&login={slug}", follow_redirects=True, trust_env=False)
            clinic = flow.wait(30).clinic
        grant = store.tokens.load_grant(clinic)
        assert grant is not None  # noqa: S101 - it was saved a line ago
        headers = {"Authorization": f"Bearer {grant.access_token}"}
        url = f"{settings.server('us-snd').api_url}/clinic"
        with open_session(settings, store, clinic) as session, httpx.Client(headers=headers, trust_env=False) as bare:
            plain, ours = [], []
            for _ in range(ROUNDS):
                plain.append(milliseconds_a_call(lambda: bare.get(url).json(), calls))
                ours.append(milliseconds_a_call(lambda: session.fetch_object("clinic"), calls))
    httpx_ms, session_ms = statistics.median(plain[1:]), statistics.median(ours[1:])
    print(
        f"bare httpx {httpx_ms:.3f} ms CPU a call, session {session_ms:.3f} ms: {session_ms - httpx_ms:+.3f} ms, "
        f"ratio {session_ms / httpx_ms:.2f} ({ROUNDS - 1} rounds of {calls} calls)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 250)
