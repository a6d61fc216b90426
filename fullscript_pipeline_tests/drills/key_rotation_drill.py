"""Promise 39: `keys rotate` is killed at any moment, again and again; then the new key opens all, the old one nothing.

Half of the kills come at a file operation of the directory (the n-th open, rename or removal), half after a random
time, so that DuckDB and SQLite are hit in the middle of theirs. What does not belong here: how many kills (the tests
say), what a sealed directory holds (`sealed_directory`).
"""

import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path

from fullscript_pipeline.encryption.key_strength import new_key
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.maintenance.key_rotation import plan_rotation, rotate_keys
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.sealed_directory import (
    KINDS,
    Contents,
    contents,
    make_sealed_directory,
    settings_under,
)

_FILE_EVENTS = {"open", "os.rename", "os.remove", "os.truncate", "sqlite3.connect"}
_MOST_EVENTS = 60  # a rotation of this directory has fewer


def kills_lose_nothing(folder: Path, *, kills: int, patients: int = 20_000, seed: int = 39) -> None:
    """Rotates from key to key until so many rotations were killed; each rotation is killed until it gets through."""
    source, began = random.Random(seed), time.monotonic()
    old = new_key()
    directory = make_sealed_directory(folder / "data", old, patients=patients, pages=10).data_dir
    before = contents(settings_under(directory, old))
    assert before.opened == KINDS
    killed, rotations, seconds, resumed = 0, 0, 3.0, 0
    while killed < kills:
        new, started = new_key(), time.monotonic()
        while True:
            event, after = _moment(source, seconds, may_die=killed < kills)
            if _rotation_dies(directory, f"{new},{old}", event, after):
                killed += 1
                resumed += _reports_interruption(directory, new, old)
                if killed % 25 == 0:
                    report_promise(
                        "promise 39, so far", kills=killed, rotations=rotations, seconds=time.monotonic() - began
                    )
            else:
                seconds = min(10.0, max(0.3, time.monotonic() - started))
                break
            started = time.monotonic()
        _check_contents(directory, new, old, before)
        old, rotations = new, rotations + 1
    report_promise(
        "promise 39", kills=killed, rotations=rotations, resumed_in_the_middle=resumed, lost=0,
        seconds=time.monotonic() - began,
    )  # fmt: skip


def _moment(source: random.Random, seconds: float, *, may_die: bool) -> tuple[int, float]:
    """At which file operation, or after how many seconds, the process is killed."""
    if not may_die:
        return sys.maxsize, 3600.0
    if source.random() < 0.5:
        return source.randrange(1, _MOST_EVENTS), 3600.0
    return sys.maxsize, source.uniform(0.0, seconds)


def _rotation_dies(directory: Path, keys: str, event: int, after: float) -> bool:
    doomed = _forks().Process(target=_rotate, args=(directory, keys, event, after))
    doomed.start()
    doomed.join()
    assert doomed.exitcode in {0, -signal.SIGKILL}, doomed.exitcode
    return doomed.exitcode != 0


def _rotate(directory: Path, keys: str, event: int, after: float) -> None:
    settings = settings_under(directory, keys)
    plan_rotation(settings)
    seen = 0

    def count(name: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if name in _FILE_EVENTS and str(directory) in str(arguments[0]):
            seen += 1
            if seen == event:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()
    rotate_keys(settings, lambda _: None)


def _reports_interruption(directory: Path, new: str, old: str) -> bool:
    """What a kill leaves: everything opens with both keys, or the files say that the rotation was interrupted."""
    found = contents(settings_under(directory, f"{new},{old}"))
    assert {"tokens", "webhooks", "audit log"} <= found.opened, found
    told = [found.found[kind] for kind in ("landing", "warehouse", "published")]
    interrupted = [isinstance(one, ConfigurationError) and "keys rotate` was interrupted" in str(one) for one in told]
    assert all(interrupted) or found.opened == KINDS, told
    return all(interrupted)


def _check_contents(directory: Path, new: str, old: str, before: Contents) -> None:
    found = contents(settings_under(directory, new))
    assert found == before, found.opened
    assert contents(settings_under(directory, old)).opened == set()
    assert [path for path in directory.rglob(".*") if path.is_file()] == []


def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context
