"""How long things take to start, and what a day on which nothing changed costs.

    python benchmarks/start.py [PATIENTS]     # the command line, the definitions, the UI, a clinic's day twice

Prints wall and CPU seconds of processes as a user starts them, each beside what it may take. Bytecode is warm:
everything is run once before it is measured.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fullscript_pipeline.cli.subprocesses import run_child  # noqa: E402
from fullscript_pipeline_tests.helpers.free_ports import free_port  # noqa: E402
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline  # noqa: E402

RUN = [sys.executable, "-m", "fullscript_pipeline"]


def measured(*command: str) -> tuple[float, float]:
    """Wall and CPU seconds of a process and its children. What `doctor` finds is no failure."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode and "doctor" not in command:
        raise SystemExit(f"{' '.join(command)} ended with exit code {done.returncode}: {done.stderr[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, cpu


def show(what: str, wall: float, cpu: float | None, limit: str) -> None:
    """A line of the result."""
    print(f"{what:<44} {wall:6.2f} s wall  {'' if cpu is None else f'{cpu:6.2f} CPU s'}   ({limit})", flush=True)


def up() -> float:
    """Seconds from `ui` to an answer of the UI."""
    port, began = free_port(), time.monotonic()
    with run_child([*RUN, "ui", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        while time.monotonic() - began < 120:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/server_info", trust_env=False).is_success:
                    return time.monotonic() - began
            except httpx.TransportError:
                time.sleep(0.1)
    raise SystemExit("The UI did not come up within 120 s.")


def main(patients: int = 215) -> None:
    """Everything, on a connected sandbox with one clinic, by default of the demo's size."""
    with (
        tempfile.TemporaryDirectory() as folder,
        connected_pipeline(Path(folder), clinics=1, patients=patients, products=320, history_days=365) as connected,
    ):
        key = connected.store.clinics.all()[0].clinic_key
        definitions = (sys.executable, "-c", "import fullscript_pipeline.definitions")
        for what, command, limit in (
            ("--help", (*RUN, "--help"), "<= 0.7 s"),
            ("clinics", (*RUN, "clinics"), "<= 1.5 s"),
            ("doctor", (*RUN, "doctor", "--json"), ""),
            ("pull --help", (*RUN, "pull", "--help"), ""),
            ("definitions", definitions, "<= 3 s"),
        ):
            measured(*command)
            show(what, *measured(*command), limit)
        pull = (*RUN, "pull", "--clinic", key)
        show("a clinic's day, the first", *measured(*pull), "")
        show("a clinic's day, nothing changed", *measured(*pull), "<= 6 CPU s")
        show("ui: until it answers", up(), None, "<= 20 s")
    print(f"load while measuring: {os.getloadavg()[0]:.1f}, processors: {os.cpu_count()}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
