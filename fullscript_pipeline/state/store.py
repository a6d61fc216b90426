"""The operational store as others see it: one object over one SQLite file.

"State decides what to fetch, DuckDB what is true": nothing here is data about patients, but for webhook bodies (sealed)
that wait to be handled, and all of it may be behind the warehouse, never ahead. What does not belong here: queries (a
module per subject), HTTP, Dagster.
"""

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.state.audit_chain import AuditHead
from fullscript_pipeline.state.audit_check import audit_damage
from fullscript_pipeline.state.audit_log import AuditLog
from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.directory_facts import DirectoryFacts
from fullscript_pipeline.state.event_tries import EventTries
from fullscript_pipeline.state.inbox import WebhookInbox
from fullscript_pipeline.state.keyring import Keyring
from fullscript_pipeline.state.lab_watch import LabWatch
from fullscript_pipeline.state.ledger import EventLedger
from fullscript_pipeline.state.requests import RequestBudget
from fullscript_pipeline.state.revocations import RevocationRecords


class StateStore(RevocationRecords, EventLedger, EventTries, LabWatch, WebhookInbox, DirectoryFacts, AuditLog):
    """Opens (creates, migrates) the store at `path`; threads may share it, processes open their own.

    `encryption_key` is the text of FULLSCRIPT_ENCRYPTION_KEY. `read_only` neither makes the file nor changes a row of
    it, for whoever only looks. Raises ConfigurationError when the file cannot be used.
    """

    def __init__(self, path: Path, encryption_key: str | None = None, *, read_only: bool = False) -> None:
        self.keyring = Keyring(encryption_key)
        self.db = Database(path, read_only=read_only, after_upgrade=self.begin_log_of_upgraded_store)
        self._budgets: dict[tuple[str, str, int], RequestBudget] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close this process's connections, unused permits given back; using the store again opens new ones."""
        with self._lock:
            budgets = list(self._budgets.values())
        for budget in budgets:
            # If the store cannot be written just now, the permits count as used for a window: no reason to fail.
            with suppress(PipelineError):
                budget.close()
        self.db.close()

    def audit_damage(self, noted: Sequence[AuditHead] = ()) -> list[str]:
        """What of the audit log is not as it was written; `noted`: heads that were kept elsewhere."""
        return audit_damage(self.db, self.keyring, noted)

    def request_budget(self, server: str, client_id: str, limit: int) -> RequestBudget:
        """The budget of an app on a server, `limit` per 300 s; sessions of one process share its leases."""
        app = hashlib.sha256(client_id.encode()).hexdigest()[:16]
        with self._lock:
            return self._budgets.setdefault((server, app, limit), RequestBudget(self.db, server, app, limit))
