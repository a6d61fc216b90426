"""A whole day of commands under the usual umask: nothing in the data directory is ever readable by others."""

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline

pytestmark = [pytest.mark.check_all, pytest.mark.timeout(600)]

COMMANDS: Sequence[Sequence[str]] = (
    ("pull",),
    ("refresh",),
    ("report", "adherence", "--as-of", "2026-11-20"),
    ("publish",),
    ("publish", "--pseudonymised"),
    ("export", "--format", "csv"),
    ("backup", "--with-landing"),
    ("tidy",),
    ("quarantine", "list"),
    ("audit", "verify"),
    ("webhooks", "status"),
    ("doctor",),
)
MORE = {"FULLSCRIPT_KEEP_PAGES_DAYS": "3", "FULLSCRIPT_PUBLISH_KEY": "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="}


class Watch:
    """Looks at every file and folder again and again, so that one which is there for a moment is met too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: set[str] = set()
        self.loose: dict[str, str] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._look(self.folder)

    def _run(self) -> None:
        while not self._done.is_set():
            self._look(self.folder)
            time.sleep(0.02)

    def _look(self, folder: Path) -> None:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            return
        for entry in entries:
            try:
                mode = entry.stat(follow_symlinks=False).st_mode
            except OSError:
                continue
            name = str(Path(entry.path).relative_to(self.folder))
            self.seen.add(name)
            if mode & 0o077 and not stat.S_ISLNK(mode):
                self.loose[name] = oct(mode)
            if stat.S_ISDIR(mode):
                self._look(Path(entry.path))


@contextmanager
def running(*command: str) -> Iterator["subprocess.Popen[str]"]:
    """A command of ours as a shell with the usual umask starts it."""
    with subprocess.Popen(
        [sys.executable, "-m", "fullscript_pipeline", *command],
        env={**os.environ, **MORE},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        umask=0o022,
    ) as process:
        yield process


def test_nothing_is_ever_readable_by_others(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        with connected_pipeline(tmp_path, clinics=1, patients=12, products=20) as connected:
            key = next(clinic.clinic_key for clinic in connected.store.clinics.all())
            data = connected.settings.data_dir
            with Watch(data) as watch:
                for command in COMMANDS:
                    with running(*command) as process:
                        said = process.communicate(timeout=120)[0]
                    assert process.returncode == 0 or command[0] == "doctor", f"{command}: {said}"
                with running("ui", "--port", str(free_port())) as ui:
                    assert ui.stdout is not None
                    assert any("code=" in line for line in ui.stdout)
                    time.sleep(8)  # the daemon ticks
                    ui.terminate()
                    ui.stdout.read()
                with running("purge", "--clinic", key, "--disconnect", "--yes") as process:
                    said = process.communicate(timeout=120)[0]
                assert process.returncode == 0, said
    finally:
        os.umask(umask)
    assert watch.loose == {}
    names = {Path(name).name for name in watch.seen}
    # It has looked while they were there.
    assert {"fullscript.duckdb.wal", "state.sqlite-wal", "runs.db", "supply.xlsx", "manifest.json", "ui.key"} <= names
