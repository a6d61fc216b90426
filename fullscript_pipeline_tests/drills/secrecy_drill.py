"""Promise 15: after pulls with a key, at DEBUG, with failures, no secret and no patient is in any byte at rest.

`reports/` aside: pages hold health data on purpose. With `outlets` also what leaves the machine or is shown without the
key: copies for analysts, read with their key, the audit log as it is listed and handed on, the UI; and what is left
after the keys were changed. What does not belong here: how many pulls (the tests say), what the UI shows (`ui_pages`).
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

from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.drills.ui_pages import shown_by_ui
from fullscript_pipeline_tests.helpers.analyst_copies import Copy
from fullscript_pipeline_tests.helpers.connected_clinic import connect, environment, settings_for
from fullscript_pipeline_tests.helpers.free_ports import free_redirect_uri
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox

_PUBLISH_KEY, _NEW_KEY = "rT5wQm8vX2kLp4Zs9dNh3fJc7Bg1YaUeRiOxKtVwMz0=", "bN6eHs2Kd9Wq4Ty7Gv1Xc8Zm3Lp5Rj0FuAoIiEgQkS4="
_KEY = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="
CANARIES = 20
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
    ("unauthorized", {"nth": 5, "method": "GET"}),
    ("unauthorized", {"nth": 40, "method": "GET"}),
    ("commit_then_drop", {"endpoint": "/oauth/token"}),
)


def _run(sandbox: RunningSandbox, settings: Settings, *arguments: str, key: str = _KEY) -> tuple[int, bytes]:
    log = settings.data_dir / "logs" / f"{time.time_ns()}.log"
    log.parent.mkdir(exist_ok=True)
    variables = _variables(sandbox, settings, key)
    done = subprocess.run(
        [sys.executable, "-c", _AT_DEBUG, str(log), *arguments],
        env={**os.environ, **variables}, capture_output=True, check=False, timeout=300, cwd=settings.data_dir,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def _variables(sandbox: RunningSandbox, settings: Settings, key: str) -> dict[str, str]:
    return {
        **environment(sandbox, settings.data_dir),
        "FULLSCRIPT_ENCRYPTION_KEY": key,
        "FULLSCRIPT_PUBLISH_KEY": _PUBLISH_KEY,
        "FULLSCRIPT_AUDIT_COMMAND": f"tee -a {settings.data_dir / 'logs' / 'audit'}",
        "FULLSCRIPT_NOW": str(sandbox.control.state()["clock"]),
    }


def _planted(sandbox: RunningSandbox, slugs: list[str]) -> list[str]:
    """Patients' e-mail addresses and full names."""
    canaries = []
    for slug in slugs:
        with sandbox.client(slug) as client:
            people = client.get("/clinic/patients", params={"page[size]": "100", "patient_type": "all"}).json()[
                "patients"
            ]
        canaries += [
            text for one in people for text in (one["email"], f"{one['first_name']} {one['last_name']}") if text
        ]
    return list(dict.fromkeys(canaries))


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


def _ids(settings: Settings) -> set[str]:
    """Whom the warehouse knows."""
    with Warehouse(settings.warehouse_path, _KEY).read() as con:
        return {patient_id for (patient_id,) in con.execute("SELECT patient_id FROM core.patients").fetchall()}


def _let_out(sandbox: RunningSandbox, settings: Settings, folder: Path, words: set[str]) -> dict[str, bytes]:
    """Makes every copy for analysts, lists the audit log, starts the UI, changes the keys: what each of them told."""
    outputs = {}
    words = words | _ids(settings)
    for level, option in (
        ("", ()),
        ("-pseudonymised", ("--pseudonymised",)),
        ("-deidentified", ("--deidentified", "--k", "2")),
    ):
        code, outputs[f"(publish {level})"] = _run(sandbox, settings, "publish", *option)
        assert code == 0, outputs[f"(publish {level})"][-2000:]
        copy = Copy(settings.published_dir / f"fullscript{level}.duckdb", _PUBLISH_KEY)
        cells = {level: "\n".join(copy.every_value()).encode()}
        assert bool(_hits(cells, words)) == (not level), "the whole copy knows everybody, the others nobody"
    outputs |= shown_by_ui(settings, _variables(sandbox, settings, _KEY), folder)
    assert b"clinic_daily" in outputs["runs"], "the UI has something to show"
    for command in (("audit", "list", "--json"), ("audit", "verify")):
        code, outputs[" ".join(command)] = _run(sandbox, settings, *command)
        assert code == 0
    assert b"publish --deidentified" in outputs["audit list --json"]
    assert (settings.data_dir / "logs" / "audit").exists()
    code, outputs["(keys rotate)"] = _run(sandbox, settings, "keys", "rotate", key=f"{_NEW_KEY},{_KEY}")
    assert code == 0, outputs["(keys rotate)"][-2000:]
    return outputs


def nothing_readable_at_rest(
    folder: Path, *, clinics: int, steps: tuple[str, ...], patients: int, outlets: bool = False
) -> None:
    """Connects, runs `steps` a day apart with faults, then withdraws a grant and pulls again; searches every byte."""
    started = time.monotonic()
    codes, output = [], b""
    with (
        running_sandbox(folder / "sandbox", redirect_uri=free_redirect_uri(), patients=patients) as sandbox,
        settings_for(sandbox, folder / "data", FULLSCRIPT_ENCRYPTION_KEY=_KEY) as settings,
    ):
        slugs = list(sandbox.clinics)[:clinics]
        with StateStore.open(settings) as store:
            for slug in slugs:
                connect(settings, store, sandbox, slug)
        canaries = set(_planted(sandbox, slugs)[: 3 * CANARIES])
        secrets = {_KEY, _PUBLISH_KEY, _NEW_KEY, *_tokens(folder / "sandbox")}
        secrets |= {str(app["client_secret"]) for app in sandbox.apps.values()}
        for kind, rule in _FAULTS:
            sandbox.control.arm(kind, **rule)
        for step in steps:
            sandbox.control.expire_tokens()
            code, said = _run(sandbox, settings, step)
            codes.append(code)
            output += said
            secrets |= _tokens(folder / "sandbox")
            sandbox.control.advance(days=1)
        struck = sum(int(rule["fired"]) for rule in sandbox.control.faults()["armed"])
        sandbox.control.disarm()
        outputs = _let_out(sandbox, settings, folder, canaries | secrets) if outlets else {}
        key = _NEW_KEY if outlets else _KEY
        sandbox.control.revoke(slugs[0])
        for last in (("clinics", "--json"), ("doctor",), ("pull",)):
            code, said = _run(sandbox, settings, *last, key=key)
            output += said
        secrets |= _tokens(folder / "sandbox")
    detach_all()
    files = {str(path): path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file()}
    reports = {name: text for name, text in files.items() if name.startswith(str(settings.reports_dir))}
    at_rest = {name: text for name, text in files.items() if name not in reports} | {"(output)": output, **outputs}
    hits = _hits(at_rest, secrets | canaries)
    report_promise(
        "promise 15", canaries=len(canaries), secrets=len(secrets), files=len(at_rest),
        bytes=sum(map(len, at_rest.values())), faults=struck, exit_codes="/".join(map(str, [*codes, code])),
        hits=sum(hits.values()), seconds=time.monotonic() - started,
    )  # fmt: skip
    assert len(canaries) >= CANARIES
    assert _hits(reports, canaries), "the pages hold names: the search works"
    assert _hits(reports, secrets) == {}
    assert hits == {}
    assert code == 77
    assert struck >= 3
