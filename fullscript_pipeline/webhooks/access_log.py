"""The access log: a line per response on stderr, written by a thread so that a slow reader delays no response.

What does not belong here: paths (they hold a secret), bodies and headers (health data, signatures).
"""

import queue
import threading
from collections.abc import Callable

from fullscript_pipeline import clock

_MOST_WAITING = 5000
_STOP_SECONDS = 1.0


class AccessLog:
    """Queues lines for `write`; if the queue is full, lines are counted and dropped. A context manager."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lines: queue.Queue[str | None] = queue.Queue(_MOST_WAITING)
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="webhook journal", daemon=True)

    def __enter__(self) -> "AccessLog":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._put(None)
        self._thread.join(_STOP_SECONDS)

    def write_line(self, text: str) -> None:
        """Logs a line without waiting."""
        self._put(f"{clock.real_now():%Y-%m-%dT%H:%M:%SZ} {text}")

    def _put(self, line: str | None) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            try:
                self._write(f"{line} ({dropped} lines before this one were dropped)" if dropped else line)
            except (OSError, ValueError):
                return  # the output is closed
