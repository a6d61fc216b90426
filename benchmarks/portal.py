"""How fast the portal answers while pulls run beside it.

python benchmarks/portal.py [--seconds 300] [--demo DATA_DIR]

It makes a demo, or takes the data directory of a finished one. It runs `ui` (sandbox, daemon, portal), signs in users
of each clinic, sends 50 requests a second of the printed mix by its own clock (a slow answer delays no other), and
starts one pull after the other, with the low priority that docs/operations.md advises. What does not belong here: a
judgement; the aim is p95 <= 150 ms and no error on two quiet processors.
"""

import argparse
import asyncio
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' helpers are not installed

from fullscript_pipeline_tests.helpers.free_ports import free_port

PER_SECOND = 50
MIX = {"list": 30, "patient": 40, "search": 12, "note": 5, "catalog": 8, "open plan": 5}
COMMAND = [sys.executable, "-m", "fullscript_pipeline"]
SIGN_INS = {"us-snd": ("maple-street", "maple-street/staff-1", "harbor-point"), "ca-snd": ("cedre-rouge",)}


@dataclass
class Visitor:
    """A browser that is signed in, and what it may ask for."""

    client: httpx.AsyncClient
    home: str
    form_key: str
    patients: list[str]
    plans: list[str] = field(default_factory=list)


async def sign_in(url: str, server: str, login: str) -> Visitor:
    client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=30)
    there = (await client.get(f"/signin/{server}")).headers["location"]
    async with httpx.AsyncClient(trust_env=False, timeout=60) as browser:
        back = (await browser.get(f"{there}&login={login}")).headers["location"]
    home = (await client.get(back)).headers["location"]
    text = (await client.get(home, params={"only": "everybody"})).text
    key = text.partition('name="form_key" value="')[2].partition('"')[0]
    visitor = Visitor(client=client, home=home, form_key=key, patients=re.findall(r'/patients/([^"/]+)"', text))
    for patient in visitor.patients[:20]:
        visitor.plans += re.findall(r"/plans/([^/]+)/open", (await client.get(f"{home}patients/{patient}")).text)
    return visitor


async def send(visitor: Visitor, kind: str, rng: random.Random) -> int:
    client, home = visitor.client, visitor.home
    form = {"form_key": visitor.form_key, "only": "everybody"}
    match kind:
        case "list":
            answer = await client.get(home)
        case "patient":
            answer = await client.get(f"{home}patients/{rng.choice(visitor.patients)}")
        case "search":
            answer = await client.post(home, data=form | {"q": rng.choice("abcdefghijklm")})
        case "note":
            address = f"{home}patients/{rng.choice(visitor.patients)}/notes"
            answer = await client.post(address, data=form | {"kind": "note", "text": "a note under load"})
        case "open plan" if visitor.plans:
            answer = await client.get(f"{home}plans/{rng.choice(visitor.plans)}/open")
        case _:
            answer = await client.get("/catalog/us/index.html" if "cedre" not in home else "/catalog/ca/index.html")
    return answer.status_code


async def load(visitors: list[Visitor], seconds: float) -> tuple[dict[str, list[float]], Counter[str]]:
    """The seconds of each answer by kind, and what was no success."""
    rng, took, wrong = random.Random(1), {kind: [] for kind in MIX}, Counter()

    async def one_request(kind: str) -> None:
        began = time.perf_counter()
        try:
            status = await send(rng.choice(visitors), kind, rng)
        except httpx.HTTPError as error:
            wrong[type(error).__name__] += 1
            return
        took[kind].append(time.perf_counter() - began)
        if status not in (200, 303):
            wrong[f"{kind} {status}"] += 1

    began, tasks = time.perf_counter(), []
    for number in range(int(seconds * PER_SECOND)):
        await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.perf_counter()))
        tasks.append(asyncio.create_task(one_request(rng.choices(list(MIX), list(MIX.values()))[0])))
    await asyncio.gather(*tasks)
    return took, wrong


def percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000 if times else float("nan")


def report(took: dict[str, list[float]], wrong: Counter[str], pulls: list[int]) -> None:
    print("mix: " + ", ".join(f"{share} % {kind}" for kind, share in MIX.items()))
    took["all"] = [second for times in took.values() for second in times]
    for kind, times in took.items():
        shown = "  ".join(f"p{share * 100:g} {percentile(times, share):.0f} ms" for share in (0.5, 0.95, 0.99))
        print(f"{kind:10} {len(times):6} answers  {shown}")
    print(f"errors: {sum(wrong.values())} {dict(wrong)}; pulls beside it: exit codes {pulls}; load {os.getloadavg()}")


def main(seconds: float, demo: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data_dir = demo or Path(folder) / "data"
        if demo is None:
            making = {**os.environ, "FULLSCRIPT_DATA_DIR": str(data_dir)}
            subprocess.run([*COMMAND, "demo"], env=making, stdout=subprocess.DEVNULL, check=True)
        run_beside_pulls(data_dir.absolute(), seconds)


def run_beside_pulls(data_dir: Path, seconds: float) -> None:
    lines = (data_dir / "demo.env").read_text().splitlines()
    settings = {name: text.strip("'\"") for line in lines for name, eq, text in [line.partition("=")] if eq}
    environment = {**os.environ, **settings, "FULLSCRIPT_DATA_DIR": str(data_dir)}
    with (data_dir / "ui.log").open("w") as log:
        ui = subprocess.Popen([*COMMAND, "ui", "--port", str(free_port())], env=environment, stdout=log, stderr=log)
        try:
            asyncio.run(measure(settings["FULLSCRIPT_WEB_URL"], seconds, environment=environment, ui=ui.pid))
        finally:
            ui.terminate()
            ui.wait(60)


async def measure(url: str, seconds: float, *, environment: dict[str, str], ui: int) -> None:
    await answers(url)
    (portal,) = [child for child in psutil.Process(ui).children(recursive=True) if "web" in child.cmdline()]
    visitors = [await sign_in(url, server, login) for server, logins in SIGN_INS.items() for login in logins]
    pulls: list[int] = []
    pulling = asyncio.create_task(pull_again_and_again(environment, pulls))
    before = sum(portal.cpu_times()[:2])
    took, wrong = await load(visitors, seconds)
    spent = sum(portal.cpu_times()[:2]) - before
    report(took, wrong, pulls)
    print(f"the portal's process: {spent * 1000 / (seconds * PER_SECOND):.1f} ms of the processor per request")
    await pulling_stopped(pulling)


async def answers(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(120):
            try:
                if (await client.get(f"{url}/healthz")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(1)
    raise SystemExit("the portal does not answer")


async def pull_again_and_again(environment: dict[str, str], pulls: list[int]) -> None:
    while True:
        # As the daemon's runs (`run_parent.LOWER_PRIORITY`).
        process = await asyncio.create_subprocess_exec(
            "nice", "-n", "10", *COMMAND, "pull", env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            pulls.append(await process.wait())
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise


async def pulling_stopped(pulling: "asyncio.Task[None]") -> None:
    pulling.cancel()
    try:
        await pulling
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--demo", type=Path, default=None)
    chosen = parser.parse_args()
    main(chosen.seconds, chosen.demo)
