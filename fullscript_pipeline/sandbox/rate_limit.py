"""The vendor's rate limit: so many requests of an app in any window of real time.

It keeps its own account, apart from `ledger`, so that each can show the other wrong. What does not belong here: HTTP.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable


class RollingLimit:
    """Remembers the moments of admitted requests, by app."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.admitted: defaultdict[str, deque[float]] = defaultdict(deque)

    def admit(self, app: str, limit: int, seconds: float) -> bool:
        """Whether one more request is within `rate_limit` per `seconds`; a refused one is not counted."""
        moments, now = self.admitted[app], self.now()
        while moments and moments[0] <= now - seconds:
            moments.popleft()
        if len(moments) >= limit:
            return False
        moments.append(now)
        return True
