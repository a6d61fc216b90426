"""`demo`: a fresh sandbox world, connected through the real OAuth flow, pulled, advanced, refreshed, pulled again.

Every step is the command a user would run, in a process of its own, with only settings between them. What does not
belong here: anything that a real clinic's day would not do.
"""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

import click
import httpx

from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.cli.subprocesses import sandbox_server
from fullscript_pipeline.encryption import new_key
from fullscript_pipeline.errors import Busy, ConfigurationError, PipelineError
from fullscript_pipeline.plural import counted
from fullscript_pipeline.sandbox.client import SandboxControl, find_running
from fullscript_pipeline.settings import Settings

ENV_FILE = "demo.env"
_IGNORED_FILES = {".gitkeep"}
# The last one is not connected: the portal offers that to its users.
_CLINICS = 4
# The command of each day, and what it shows.
_DAYS = (
    ("First day: the whole catalog and all data of the clinics", "pull"),
    ("A day later: only the objects that new events point at", "refresh"),
    ("The next daily pull", "pull"),
)


@click.command(
    help="Create a demo in the data directory: start the sandbox, connect its clinics, pull two days, write reports, "
    "and print what to open. Each demo replaces the one before; other data are never replaced."
)
@with_settings
def demo(settings: Settings) -> int:
    began = time.monotonic()
    elsewhere = {
        "FILES_URL": settings.files_url,
        "STATE_URL": settings.state_url,
        "WAREHOUSE_URL": settings.lake_catalog,
    }
    for name in (name for name, address in elsewhere.items() if address):
        raise ConfigurationError(f"FULLSCRIPT_{name} is set, and a demo keeps all in its own folder: unset it first.")
    _refuse_while_in_use(settings)
    clear_demo_folder(settings.data_dir)
    settings.prepare_data_dir()
    variables = _first_variables(settings)
    _write_env(settings, variables)
    print_message(f"Demo in {settings.data_dir}", bold=True)
    with _server(settings, variables) as control:
        variables |= _app_variables(control)
        *connected, later = control.state()["clinics"]
        for clinic in connected:
            _connect(variables, clinic["server"], clinic["slug"])
        variables["FULLSCRIPT_WEB_CLINICS"] = later["clinic_id"]
        control.reset_requests()
        for day, (title, command) in enumerate(_DAYS):
            if day:
                _advance(control)
            _phase(settings, control, variables=variables, title=title, command=command)
        _show_requests(control)
        portal_links = sign_in_links(control)
    _show_paths(settings, portal_links, later["slug"])
    print_message(f"Done in {time.monotonic() - began:.0f} s.", bold=True)
    return 0


def _first_variables(settings: Settings) -> dict[str, str]:
    """The settings of the demo that do not come from its sandbox. The portal answers for the pipeline's app, too."""
    portal = _free_address()
    return {
        "FULLSCRIPT_DATA_DIR": str(settings.data_dir),
        "FULLSCRIPT_REDIRECT_URI": f"{portal}/callback",
        "FULLSCRIPT_WEB_URL": portal,
        "FULLSCRIPT_WEB_KEY": new_key(),
    }


def _refuse_while_in_use(settings: Settings) -> None:
    """Raises Busy when a sandbox (for example the UI's) still serves the data that would be replaced."""
    if running := find_running(settings.sandbox_dir):
        running.close()
        raise Busy(
            f"A sandbox runs in {settings.data_dir} ({running.base_url}; `ui` starts one too): stop it first, or "
            "set FULLSCRIPT_DATA_DIR to another folder."
        )


def clear_demo_folder(folder: Path) -> None:
    """Empties a data directory that a demo made. Raises ConfigurationError for one that holds anything else."""
    if not folder.exists():
        return
    entries = [entry for entry in folder.iterdir() if entry.name not in _IGNORED_FILES]
    if entries and not (folder / ENV_FILE).exists():
        raise ConfigurationError(
            f"{folder} holds data that no demo made ({len(entries)} entries): set FULLSCRIPT_DATA_DIR to another "
            "folder, for example FULLSCRIPT_DATA_DIR=/tmp/fullscript-demo."
        )
    for entry in entries:
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def read_demo_env(settings: Settings) -> dict[str, str]:
    """The variables of the demo that made this data directory; empty when none did."""
    path = settings.data_dir / ENV_FILE
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {name: setting.strip("'") for name, _, setting in pairs}


@with_settings
def add_demo_variables(settings: Settings) -> None:
    """Adds what the demo has set for its data directory to the environment, which counts before it."""
    os.environ.update({name: value for name, value in read_demo_env(settings).items() if name not in os.environ})


def _server(settings: Settings, variables: Mapping[str, str]) -> "_Sandbox":
    return _Sandbox(settings, variables)


class _Sandbox:
    """The sandbox of the demo, and its control plane."""

    def __init__(self, settings: Settings, variables: Mapping[str, str]) -> None:
        redirect_uris = (
            *("--redirect-uri", variables["FULLSCRIPT_REDIRECT_URI"]),
            *("--portal-redirect-uri", f"{variables['FULLSCRIPT_WEB_URL']}/callback"),
        )
        self._server = sandbox_server(str(settings.sandbox_dir), 0, *redirect_uris, "--clinics", str(_CLINICS))

    def __enter__(self) -> SandboxControl:
        return SandboxControl(self._server.__enter__())

    def __exit__(self, *error: object) -> None:
        self._server.__exit__(None, None, None)


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def _app_variables(control: SandboxControl) -> dict[str, str]:
    variables = {}
    for name, server in control.state()["servers"].items():
        prefix = f"FULLSCRIPT_{name.upper().replace('-', '_')}_"
        for key in ("client_id", "client_secret", "api_url", "authorize_url"):
            variables[f"{prefix}{key.upper()}"] = server[key]
        for key in ("client_id", "client_secret"):
            variables[f"{prefix}WEB_{key.upper()}"] = server[f"portal_{key}"]
    return variables


def _write_env(settings: Settings, variables: Mapping[str, str]) -> None:
    """Writes the settings that later commands need: `set -a; . data/demo.env; set +a`."""
    path = settings.data_dir / ENV_FILE
    lines = ["# Made by `fullscript-pipeline demo`: settings of its sandbox and its clock."]
    lines += [f"{name}='{setting}'" for name, setting in sorted(variables.items())]
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n")


def _run(variables: Mapping[str, str], *arguments: str) -> None:
    """Runs a command as a user would; its messages are shown. Raises PipelineError with its exit code."""
    command = [sys.executable, "-m", "fullscript_pipeline", *arguments]
    finished = subprocess.run(command, env={**os.environ, **variables}, check=False)
    if finished.returncode:
        error = PipelineError(
            f"`fullscript-pipeline {' '.join(arguments)}` ended with exit code {finished.returncode}."
        )
        error.exit_code = finished.returncode
        raise error


def _connect(variables: Mapping[str, str], server: str, slug: str) -> None:
    """Runs `connect --no-browser`, and does what the browser would: opens the address, follows it to the callback."""
    command = [sys.executable, "-m", "fullscript_pipeline", "connect", server, "--no-browser"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env={**os.environ, **variables}, stdout=pipe, stderr=pipe, text=True) as process:
        address = process.stdout.readline().strip() if process.stdout else ""
        if address:
            answer = httpx.get(
                f"{address}&{urlencode({'login': slug})}", follow_redirects=True, trust_env=False, timeout=30
            )
            if answer.is_error:
                print_message(f"The sign-in page answered {answer.status_code} for {slug}.")
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        # The demo has done what the message would ask a person to do.
        said = [line for line in process.communicate()[1].splitlines() if not line.startswith("Open this address")]
        print_message("\n".join(said))
        code = process.returncode
        watchdog.cancel()
    if code:
        raise PipelineError(f"Connecting {slug} failed.")


def _phase(settings: Settings, control: SandboxControl, variables: dict[str, str], title: str, command: str) -> None:
    variables["FULLSCRIPT_NOW"] = control.state()["clock"]
    _write_env(settings, variables)
    print_message(f"\n{title} ({variables['FULLSCRIPT_NOW'][:10]})", bold=True)
    before = control.requests()["total"]
    began = time.monotonic()
    _run(variables, command)
    print_message(f"{counted(control.requests()['total'] - before, 'request')}, {time.monotonic() - began:.1f} s")


def _advance(control: SandboxControl) -> None:
    happened = control.advance(days=1)
    changes = ", ".join(f"{what.replace('_', ' ')} {number}" for what, number in sorted(happened["totals"].items()))
    print_message(f"\nThe sandbox's clock moves to {happened['day']}: {changes}")


def _show_requests(control: SandboxControl) -> None:
    counts: dict[str, int] = {}
    requests = control.requests()
    for row in requests["counts"]:
        name = f"{row['method']} {row['endpoint']}" + ("" if row["status"] < 300 else f" -> {row['status']}")
        counts[name] = counts.get(name, 0) + row["count"]
    print_message("\nRequests of all three phases", bold=True)
    print_data(format_columns(["endpoint", "requests"], [[name, number] for name, number in sorted(counts.items())]))
    which = ", ".join(dict.fromkeys(name.partition("/")[2] for name in requests["repeated_examples"]))
    print_data(
        f"{requests['total']:,} requests in total; {requests['repeated_urls_same_day']} were sent twice on one day"
        + (f" ({which})." if which else ".")
    )


def sign_in_links(control: SandboxControl) -> list[str]:
    """An address for each clinic that opens the portal as its first practitioner, who is signed in at Fullscript."""
    state = control.state()
    return [
        f"{state['servers'][clinic['server']]['authorize_url'].removesuffix('/oauth/authorize')}/signin?"
        f"{urlencode({'login': clinic['slug']})}"
        for clinic in state["clinics"]
    ]


def _show_paths(settings: Settings, portal_links: Sequence[str], later: str) -> None:
    print_message("\nOpen", bold=True)
    pages = sorted(settings.reports_dir.glob("clinics/*/index.html")) + sorted(
        settings.reports_dir.glob("catalog/*/index.html")
    )
    for page in (settings.reports_dir / "index.html", *pages):
        print_data(str(page))
    print_message(f"\nSettings for later commands: set -a; . {settings.data_dir / ENV_FILE}; set +a")
    place = "" if settings.data_dir == Path("data").absolute() else f"FULLSCRIPT_DATA_DIR={settings.data_dir} "
    print_message(f"To see these data in the Dagster UI: {place}fullscript-pipeline ui")
    print_message("It serves the portal, too. These open it as a practitioner of each clinic:")
    for link in portal_links:
        print_message(link)
    print_message(f"{later} is not connected yet: who signs in there is offered to connect it.")
