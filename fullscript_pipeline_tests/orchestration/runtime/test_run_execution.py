"""A run's process is stopped by signals, also where the process that started it ignores them."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from fullscript_pipeline.orchestration.runtime.run_execution import stop_by_signals

_STOPS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def ignored() -> Iterator[None]:
    """As in a background job of a shell without job control, once Dagster is imported."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _STOPS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("ignored")
@pytest.mark.parametrize("stop", _STOPS)
def test_both_signals_stop_a_run_and_what_it_started(stop: signal.Signals) -> None:
    """Dagster copies a run's output with a program that it ends by SIGTERM."""
    stop_by_signals()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), stop)
    with subprocess.Popen(["sleep", "60"]) as program:
        program.terminate()
        assert program.wait(10) == -signal.SIGTERM
