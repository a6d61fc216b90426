"""A server's program that a test starts, and may stop and start again in the same place.

What does not belong here: which servers there are (`postgres_server`, `redis_server`, `s3_server`).
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READY_SECONDS = 30.0


class ServerProgram:
    """`wait`: returns when the process answers. `stop`: the signal that ends it without waiting for its clients."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        wait: "Callable[[subprocess.Popen[str]], None]",
        stop: signal.Signals = signal.SIGTERM,
        log: Path = Path("/dev/null"),
        **options: Any,
    ) -> None:
        self._command, self._wait, self._stop = command, wait, stop
        self._log, self._options = log, options
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, text=True, **self._options)
        self._wait(self._process)

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(self._stop)
            self._process.wait(READY_SECONDS)
            self._process = None

    def restart(self, *, away_seconds: float = 0.0) -> None:
        """The server is away for so long, and the time that it needs to start."""
        self.stop()
        time.sleep(away_seconds)
        self.start()

    @contextmanager
    def running(self) -> Iterator[None]:
        try:
            self.start()
            yield
        finally:
            self.stop()
