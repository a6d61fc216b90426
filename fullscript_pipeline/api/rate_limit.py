"""The interface of the request budget, which decides when a request may be sent.

The vendor limits an app to 5,000 requests in any rolling five minutes, over all endpoints and all of our processes, so
the count is kept in the state store (`state.request_budget`). What does not belong here: the count itself, and the
server's own refusals (`retry` handles a 429 and reports it with `pause_requests`).
"""

from typing import Literal, Protocol

# `present`: today's data, which goes first and has a reserve; `backfill`: history.
Priority = Literal["present", "backfill"]


class Budget(Protocol):
    """A thread-safe request budget; one count per app and server."""

    def acquire(self, priority: Priority) -> None:
        """Waits until one more request may be sent. A wait is logged, not raised."""

    def pause_requests(self, seconds: float) -> None:
        """Blocks all requests for the given time, because the server requested a pause."""
