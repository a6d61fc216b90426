"""Nothing that a command started outlives it, however it is stopped."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from fullscript_pipeline_tests.helpers.wait_until import wait

# A command that starts a child which starts a grandchild; both ignore SIGTERM, as a hanging server would.
FAMILY = """
import subprocess, sys, time, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) < 3:
    subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[1], "grandchild"])
print("up", flush=True)
time.sleep(60)
"""
COMMAND = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background has it ignored
from fullscript_pipeline.cli import main, subprocesses
subprocesses.STOP_WAIT_SECONDS = 0.5
import click
@click.command()
def serve():
    with subprocesses.run_child([sys.executable, "-c", sys.argv[1], sys.argv[1]]) as process:
        time.sleep(1)
        print(process.pid, flush=True)
        # As `ui` watches: a signal that comes a moment before a wait without end would only be seen after it.
        while process.poll() is None:
            time.sleep(0.1)
main.cli = serve
family, sys.argv = sys.argv[1], sys.argv
sys.argv = [sys.argv[0], family]
serve.params = [click.Argument(["ignored"], nargs=-1)]
serve.callback = lambda ignored, run=serve.callback: run()
main.main()
"""


@pytest.mark.parametrize(
    "numbers",
    [
        [signal.SIGTERM],
        pytest.param([signal.SIGINT], marks=pytest.mark.check_all),
        [signal.SIGTERM, signal.SIGTERM, signal.SIGINT],
    ],
)
def test_the_whole_family_ends_with_the_command(numbers: list[signal.Signals]) -> None:
    with subprocess.Popen([sys.executable, "-c", COMMAND, FAMILY], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = next(int(line) for line in process.stdout if line.strip().isdigit())
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        assert len(family) == 2
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.2)
        assert wait(lambda: process.poll() is not None)
    assert wait(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family))
