"""Kills the portal's process while people sign in and write notes, and counts what was confirmed and is there.

What does not belong here: assertions.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.running_portal import RunningPortal

CLINIC = "maple-street"


@dataclass
class KillOutcome:
    """`confirmed`: texts whose note was answered as stored. `cookies`: of sign-ins that were answered."""

    confirmed: list[str] = field(default_factory=list)
    cookies: list[dict[str, str]] = field(default_factory=list)
    sign_ins: int = 0
    used_states: list[str] = field(default_factory=list)


@contextmanager
def portal_process(environment: dict[str, str], port: int, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """`web serve`, when it answers; killed at the end."""
    command = [sys.executable, "-m", "fullscript_pipeline", "web", "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder) as process:
        try:
            assert process.stdout is not None and process.stdout.readline().startswith("http")
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def kill_while_people_work(
    portal: RunningPortal, outcome: KillOutcome, *, environment: dict[str, str], folder: Path, rng: random.Random
) -> None:
    """One life of the process: it is killed at some moment of its first second, or after some notes."""
    url, wanted = environment["FULLSCRIPT_WEB_URL"], len(outcome.confirmed) + rng.randint(1, 20)
    port, is_early = urlsplit(url).port or 0, rng.random() < 0.4
    with portal_process(environment, port, folder) as process:
        workers = [threading.Thread(target=_work, args=(portal, url, outcome)) for _ in range(3)]
        for worker in workers:
            worker.start()
        deadline = time.monotonic() + (rng.random() if is_early else 20)
        while time.monotonic() < deadline and (is_early or len(outcome.confirmed) < wanted):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for worker in workers:
            worker.join()


def _work(portal: RunningPortal, url: str, outcome: KillOutcome) -> None:
    """Signs in and writes notes until nobody answers any more."""
    with suppress(httpx.HTTPError, KeyError), httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
        there = client.get(f"/signin/{portal.sandbox.clinics[CLINIC]['server']}").headers["location"]
        back = httpx.get(f"{there}&login={CLINIC}", trust_env=False).headers["location"]
        outcome.sign_ins += 1
        home = client.get(back).headers["location"]
        outcome.used_states.append(back)
        outcome.cookies.append(dict(client.cookies))
        key = client.get(home).text.partition('name="form_key" value="')[2].partition('"')[0]
        patients = sorted(portal.patients[CLINIC])
        while True:
            text = os.urandom(8).hex()
            form = {"form_key": key, "kind": "note", "text": text}
            if client.post(f"{home}patients/{random.choice(patients)}/notes", data=form).status_code == 303:
                outcome.confirmed.append(text)


def environment_of(portal: RunningPortal) -> tuple[dict[str, str], int]:
    """The settings of the running portal with a store and an address of their own."""
    port = free_port()
    return {**os.environ, "FULLSCRIPT_WEB_URL": f"http://127.0.0.1:{port}"}, port
