"""A first and a second pull of 20,000 orders of three lines and 10,000 patients: ours, a floor and dlt, side by side.

python benchmarks/ingest.py [--orders N] [--patients N] [--latency MS] [--dlt-python PATH] [--without floor,dlt]

Each contender is a process of its own against the same static server; imports are told apart. Ours seals what it writes
(`FULLSCRIPT_ENCRYPTION_KEY` is set). dlt is in the group `bench` (`uv pip install --group bench`); `--dlt-python` names
another interpreter that has it. What is promised stands in docs/measurements.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
IN_FLIGHT = 8


@dataclass(frozen=True)
class Figures:
    """What one run cost."""

    name: str
    wall: float
    cpu: float
    imports: float
    rss_mb: float
    requests: int


@contextmanager
def server(orders: int, patients: int, latency: int) -> Iterator[str]:
    command = [sys.executable, str(HERE / "ingest_server.py"), str(orders), str(patients), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()  # whoever starts us may ignore SIGTERM, and so would it


def run(name: str, python: str, script: str, url: str, target: str) -> Figures | None:
    """None: it is not installed here, which is printed."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "FULLSCRIPT_ENCRYPTION_KEY": "a benchmark's key"}
    command = [python, str(HERE / script), url, target]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        if "No module named 'dlt'" not in last:
            sys.exit(f"{name}: {last}")
        print(f"{name}: skipped ({last})")
        return None
    with urllib.request.urlopen(f"{url}/count") as answer:  # noqa: S310 - our own server
        requests = json.load(answer)["count"]
    return Figures(name, requests=requests, **json.loads(done.stdout.strip().splitlines()[-1]))


def show(all_of: list[Figures], orders: int, patients: int, latency: int) -> None:
    print(f"\n{orders} orders of 3 lines and {patients} patients, {latency} ms latency, {os.cpu_count()} cores")
    print("| run | wall s | CPU s | imports CPU s | peak RSS MB | requests | CPU : ours |")
    print("|---|---|---|---|---|---|---|")
    ours = next(one for one in all_of if one.name == "ours, first")
    for one in all_of:
        figures = f"{one.wall:.2f} | {one.cpu:.2f} | {one.imports:.2f} | {one.rss_mb:.0f} | {one.requests}"
        print(f"| {one.name} | {figures} | {one.cpu / ours.cpu:.2f} |")
    allowed = 1.2 * ours.requests * latency / 1000 / IN_FLIGHT + 4
    print(f"wall allowed for ours: {allowed:.1f} s (1.2 x requests x latency / {IN_FLIGHT} + 4 s)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--latency", type=int, default=0)
    parser.add_argument("--dlt-python", default=sys.executable)
    parser.add_argument("--without", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(given.orders, given.patients, given.latency) as url:
        plan = [
            ("ours, first", sys.executable, "ingest_ours.py", f"{folder}/ours"),
            ("ours, again", sys.executable, "ingest_ours.py", f"{folder}/ours"),
            ("floor, first", sys.executable, "ingest_floor.py", f"{folder}/floor.duckdb"),
            ("floor, again", sys.executable, "ingest_floor.py", f"{folder}/floor.duckdb"),
            ("dlt, first", given.dlt_python, "ingest_dlt.py", f"{folder}/dlt"),
            ("dlt, again", given.dlt_python, "ingest_dlt.py", f"{folder}/dlt"),
        ]
        Path(f"{folder}/dlt").mkdir()
        left_out = {word.strip() for word in given.without.split(",")}
        chosen = [step for step in plan if step[0].partition(",")[0] not in left_out]
        done = [run(name, python, script, url, target) for name, python, script, target in chosen]
        show([one for one in done if one], given.orders, given.patients, given.latency)


if __name__ == "__main__":
    main()
