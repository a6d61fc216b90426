"""What one contender of `ingest.py` costs, as a line of JSON; imports are measured apart. Needs nothing but Python."""

import json
import time

from peak_memory import peak_mb


class Measured:
    """`with Measured(): work()` prints wall and CPU seconds (threads included) and the process's peak memory."""

    def __enter__(self) -> None:
        self._imports = time.process_time()
        self._wall = time.monotonic()

    def __exit__(self, *_: object) -> None:
        # What earlier contenders in this process need is not theirs: each runs in a process of its own.
        peak = peak_mb()
        figures = {
            "wall": time.monotonic() - self._wall,
            "cpu": time.process_time() - self._imports,
            "imports": self._imports,
            "rss_mb": peak,
        }
        print(json.dumps(figures), flush=True)
