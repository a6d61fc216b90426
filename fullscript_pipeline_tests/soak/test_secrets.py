"""Promise 15: after pulls with a key, at DEBUG, with failures, no secret and no patient is in any byte at rest.

`reports/` aside: pages hold health data on purpose.
"""

import json
import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.api.connected import connect, environment, free_redirect_uri, settings_for
from fullscript_pipeline_tests.sandbox_server import RunningSandbox, running_sandbox
from fullscript_pipeline_tests.soak.result import tell

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

_KEY = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="
_CANARIES = 20
# Everything that any library would log, into a file of the data directory and to stderr; then the command as it is.
_AT_DEBUG = """
import logging, sys
from fullscript_pipeline.cli.main import main
handlers = [logging.FileHandler(sys.argv.pop(1)), logging.StreamHandler()]
logging.basicConfig(level=logging.DEBUG, handlers=handlers)
main()
"""
_FAULTS = (
    ("http_500", {"probability": 0.04, "seed": 1}),
    ("truncated_json", {"probability": 0.03, "seed": 2}),
    ("html_200", {"probability": 0.02, "seed": 3, "method": "GET"}),
    ("reset_mid_body", {"probability": 0.02, "seed": 4, "method": "GET"}),
    ("unauthorized", {"count": 3}),
    ("commit_then_drop", {"endpoint": "/oauth/token"}),
)


def _run(sandbox: RunningSandbox, settings: Settings, *arguments: str) -> tuple[int, bytes]:
    log = settings.data_dir / "logs" / f"{time.time_ns()}.log"
    log.parent.mkdir(exist_ok=True)
    now = str(sandbox.control.state()["clock"])
    variables = {**environment(sandbox, settings.data_dir), "FULLSCRIPT_ENCRYPTION_KEY": _KEY, "FULLSCRIPT_NOW": now}
    done = subprocess.run(
        [sys.executable, "-c", _AT_DEBUG, str(log), *arguments],
        env={**os.environ, **variables}, capture_output=True, check=False, timeout=300, cwd=settings.data_dir,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def _planted(sandbox: RunningSandbox) -> list[str]:
    """Patients' e-mail addresses and full names, of every clinic."""
    found = []
    for slug in sandbox.clinics:
        with sandbox.client(slug) as client:
            people = client.get("/clinic/patients", params={"page[size]": "100", "patient_type": "all"}).json()[
                "patients"
            ]
        found += [text for one in people for text in (one["email"], f"{one['first_name']} {one['last_name']}") if text]
    return list(dict.fromkeys(found))


def _tokens(folder: Path) -> set[str]:
    """Every token and code that the server knows now."""
    state = json.loads((folder / "state.json").read_text())
    pairs = state["pairs"].values()
    return {pair[name] for pair in pairs for name in ("access_token", "refresh_token")} | set(state["codes"])


def _spellings(text: str) -> Iterator[bytes]:
    yield text.encode()
    yield quote(text, safe="").encode()
    yield text.encode("utf-16-le")
    yield b64encode(text.encode())[:-4]


def _hits(files: dict[str, bytes], words: set[str]) -> dict[str, int]:
    """File -> how many of the words are in it, in any spelling."""
    hits = {
        name: sum(any(spelt in body for spelt in _spellings(word)) for word in words) for name, body in files.items()
    }
    return {name: number for name, number in hits.items() if number}


def test_no_secret_and_no_canary_in_any_byte_at_rest(tmp_path: Path) -> None:
    started = time.monotonic()
    codes, output = [], b""
    with (
        running_sandbox(tmp_path / "sandbox", redirect_uri=free_redirect_uri(), patients=15) as sandbox,
        settings_for(sandbox, tmp_path / "data", FULLSCRIPT_ENCRYPTION_KEY=_KEY) as settings,
    ):
        with StateStore(settings.state_path, settings.encryption_key) as store:
            for slug in sandbox.clinics:
                connect(settings, store, sandbox, slug)
        canaries = set(_planted(sandbox)[: 3 * _CANARIES])
        secrets = {_KEY, *_tokens(tmp_path / "sandbox")}
        secrets |= {str(app["client_secret"]) for app in sandbox.apps.values()}
        for kind, rule in _FAULTS:
            sandbox.control.arm(kind, **rule)
        for step in ("pull", "refresh", "pull"):
            sandbox.control.expire_tokens()
            code, said = _run(sandbox, settings, step)
            codes.append(code)
            output += said
            secrets |= _tokens(tmp_path / "sandbox")
            sandbox.control.advance(days=1)
        struck = sum(int(rule["fired"]) for rule in sandbox.control.faults()["armed"])
        sandbox.control.revoke(next(iter(sandbox.clinics)))
        code, said = _run(sandbox, settings, "pull")
        codes.append(code)
        output += _run(sandbox, settings, "doctor")[1] + _run(sandbox, settings, "clinics", "--json")[1] + said
    files = {str(path): path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file()}
    reports = {name: body for name, body in files.items() if name.startswith(str(settings.reports_dir))}
    at_rest = {name: body for name, body in files.items() if name not in reports} | {"(output)": output}
    hits = _hits(at_rest, secrets | canaries)
    tell(
        "promise 15", canaries=len(canaries), secrets=len(secrets), files=len(at_rest),
        bytes=sum(map(len, at_rest.values())), faults=struck, exit_codes="/".join(map(str, codes)),
        hits=sum(hits.values()), seconds=time.monotonic() - started,
    )  # fmt: skip
    assert len(canaries) >= _CANARIES
    assert _hits(reports, canaries), "the pages hold names: the search works"
    assert _hits(reports, secrets) == {}
    assert hits == {}
    assert codes[-1] == 77
    assert struck > len(_FAULTS)
