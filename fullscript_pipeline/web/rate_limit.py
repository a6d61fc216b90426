"""Limits how often somebody may try: a bucket of tries that refills, for each name.

What does not belong here: what a name is, and what is answered (`gate`).
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_MOST_NAMES = 20_000


class TryLimit:
    """`burst` tries at once, and `per_second` more. Forgets names that have all their tries."""

    def __init__(self, *, burst: int, per_second: float, now: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_second, self._now = burst, per_second, now
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def allows(self, name: str) -> bool:
        now = self._now()
        with self._lock:
            if len(self._left) >= _MOST_NAMES:
                self._left = {key: pair for key, pair in self._left.items() if self._refilled(pair, now) < self._burst}
            left = self._refilled(self._left.get(name, (float(self._burst), now)), now)
            self._left[name] = (left - 1 if left >= 1 else left, now)
            return left >= 1

    def _refilled(self, pair: tuple[float, float], now: float) -> float:
        left, at = pair
        return min(float(self._burst), left + (now - at) * self._per_second)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one address may send: requests of any kind, and sign-ins (each is two requests); how often one user may ask
    that a patient be read again."""

    requests: TryLimit = field(default_factory=lambda: TryLimit(burst=600, per_second=100))
    sign_ins: TryLimit = field(default_factory=lambda: TryLimit(burst=40, per_second=0.5))
    readings: TryLimit = field(default_factory=lambda: TryLimit(burst=20, per_second=0.1))
