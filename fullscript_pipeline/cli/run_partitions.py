"""Executes runs one after the other, shows their progress, and derives one exit code.

What does not belong here: which partitions to run (the commands).
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
from tqdm import tqdm

from fullscript_pipeline.cli.console import print_message, prints_json_lines
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.orchestration.runtime import Outcome, console_logging, fail_orphans, run_job

LINE_EVERY_SECONDS = 10.0
_LOGGER = "fullscript_pipeline.state.request_budget"


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run to execute. `label` is shown to the user: the clinic's key or the region, and the day.

    `order_days`: the first and the last day of the orders that its config asks for.
    """

    label: str
    job: str
    partition: str | None = None
    run_config: Mapping[str, Any] | None = None
    order_days: tuple[date, date] | None = None
    tags: Mapping[str, str] | None = None
    assets: frozenset[dg.AssetKey] | None = None


def execute_runs(
    instance: dg.DagsterInstance, runs: Sequence[PlannedRun], after_each: Callable[[], object] = lambda: None
) -> tuple[int, list[tuple[PlannedRun, Outcome]]]:
    """Executes every run, even when others fail, and calls `after_each`. Returns the exit code and the outcomes."""
    if not prints_json_lines():
        console_logging.quiet()
        _log_budget_waits()
    fail_orphans(instance)
    outcomes: list[tuple[PlannedRun, Outcome]] = []
    with _Progress(len(runs)) as progress:
        for run in runs:
            progress.begin(run.label)
            outcome = run_job(
                instance,
                run.job,
                partition=run.partition,
                run_config=run.run_config,
                tags=run.tags,
                assets=set(run.assets) if run.assets else None,
                listener=progress.event,
            )
            outcomes.append((run, outcome))
            progress.end(run, outcome)
            after_each()
    return _exit_code([outcome for _, outcome in outcomes]), outcomes


def _exit_code(outcomes: Sequence[Outcome]) -> int:
    """The code of `connect` if any clinic needs it; else that of the first failure."""
    codes = [failure.exit_code for outcome in outcomes for failure in outcome.failures]
    if NeedsConnect.exit_code in codes:
        return NeedsConnect.exit_code
    return codes[0] if codes else 0


def _shows_bar() -> bool:
    return sys.stderr.isatty() and not prints_json_lines()


class _Progress:
    """A progress bar on a terminal; elsewhere a line per run, and one every ten seconds during a run.

    Where messages are JSON, the run logs its own steps, and the lines here name the run.
    """

    def __init__(self, total: int) -> None:
        self._bar = tqdm(total=total, unit="run", file=sys.stderr, leave=False) if _shows_bar() else None
        self._label = ""
        self._began = self._said = time.monotonic()

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def begin(self, label: str) -> None:
        self._label, self._began = label, time.monotonic()

    def event(self, event: dg.DagsterEvent) -> None:
        if event.event_type is not dg.DagsterEventType.STEP_START:
            return
        if self._bar is not None:
            self._bar.set_description(f"{self._label}: {event.step_key}")
        elif not prints_json_lines() and time.monotonic() - self._said > LINE_EVERY_SECONDS:
            self._say(f"{self._label}: {event.step_key} ...")

    def end(self, run: PlannedRun, outcome: Outcome) -> None:
        seconds = time.monotonic() - self._began
        if self._bar is not None:
            self._bar.update()
        word = "done" if outcome.succeeded else "FAILED"
        self._say(f"{run.label}: {word} in {seconds:.1f} s", outcome.run_id)
        for failure in outcome.failures:
            self._say(f"  {failure.step}: {failure.sentence}", outcome.run_id)

    def _say(self, text: str, run_id: str | None = None) -> None:
        self._said = time.monotonic()
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            print_message(text, run_id=run_id)


class _OnStderr(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


def _log_budget_waits() -> None:
    """Prints budget waits from now on in this process; may be called again."""
    logger = logging.getLogger(_LOGGER)
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _OnStderr) for handler in logger.handlers):
        logger.addHandler(_OnStderr())
