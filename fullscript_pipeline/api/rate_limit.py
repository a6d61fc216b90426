"""The seam of the request budget: who may ask the server now.

The vendor limits an app to 5,000 requests in any rolling five minutes, over all endpoints and all of our processes,
so the count lives in the state store (`state.requests`). What does not belong here: the count itself, and the
server's own refusals (`retry` handles a 429 and reports it with `hold`).
"""

from typing import Literal, Protocol

# `present` is the data of today, `backfill` history: the present goes first and keeps a reserve for itself.
Priority = Literal["present", "backfill"]


class Budget(Protocol):
    """Thread-safe; one count per app and server."""

    def acquire(self, priority: Priority) -> None:
        """Return once one more request may be sent; a wait is logged, not raised."""

    def pause_requests(self, seconds: float) -> None:
        """The server asked for a pause: let nobody send for that long."""
