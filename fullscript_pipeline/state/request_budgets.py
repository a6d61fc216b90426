"""The request budgets of this process, one for each app and server.

What does not belong here: how requests are counted (`request_budget`).
"""

import hashlib
import threading
from contextlib import suppress

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.request_budget import RequestBudget


class RequestBudgets:
    """Sessions of a process share the leases of a budget."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._budgets: dict[tuple[str, str, int], RequestBudget] = {}
        self._lock = threading.Lock()

    def of_app(self, server: str, client_id: str, limit: int) -> RequestBudget:
        """The budget of an app on a server, `limit` per 300 s."""
        app = hashlib.sha256(client_id.encode()).hexdigest()[:16]
        with self._lock:
            return self._budgets.setdefault((server, app, limit), RequestBudget(self._db, server, app, limit))

    def close(self) -> None:
        """Returns unused permits."""
        with self._lock:
            budgets = list(self._budgets.values())
        for budget in budgets:
            # If the store cannot be written now, the permits count as used for a window; that is no reason to fail.
            with suppress(PipelineError):
                budget.close()
