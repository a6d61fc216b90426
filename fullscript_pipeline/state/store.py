"""The operational store as other rooms use it: one object for one SQLite file.

State decides what to fetch, and DuckDB holds what is true. The store holds no data about patients, except the sealed
bodies of unhandled webhooks and the snoozes of a call list. It may be behind the warehouse, never ahead. What does not
belong here: queries (a module per subject), HTTP, Dagster.
"""

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.settings import WAREHOUSE_FILE
from fullscript_pipeline.state.audit import AuditHead, AuditLog, audit_damage
from fullscript_pipeline.state.clinic_choices import ClinicChoiceRecords
from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.directory_facts import DirectoryFacts, record_contact_on_pages
from fullscript_pipeline.state.event_ledger import EventLedger
from fullscript_pipeline.state.event_tries import EventTries
from fullscript_pipeline.state.key_rotation import count_to_reseal, reseal_store
from fullscript_pipeline.state.lab_watch import LabWatch
from fullscript_pipeline.state.purge import wipe_deleted
from fullscript_pipeline.state.purged_people import PurgeMemory, without_body_about
from fullscript_pipeline.state.request_budget import RequestBudget
from fullscript_pipeline.state.revocations import RevocationRecords
from fullscript_pipeline.state.secret_cipher import Keyring
from fullscript_pipeline.state.snoozes import Snoozes
from fullscript_pipeline.state.store_key import follow_key, read_key_fingerprint
from fullscript_pipeline.state.webhook_inbox import Delivery, WebhookInbox


class StateStore(
    RevocationRecords,
    EventLedger,
    EventTries,
    LabWatch,
    WebhookInbox,
    DirectoryFacts,
    AuditLog,
    PurgeMemory,
    Snoozes,
    ClinicChoiceRecords,
):
    """Opens (creates, migrates) the store at `path`; threads may share it, processes open their own.

    `encryption_key` is the text of FULLSCRIPT_ENCRYPTION_KEY. `read_only` neither creates the file nor changes a row.
    Raises ConfigurationError if the file cannot be used.
    """

    def __init__(self, path: Path, encryption_key: str | None = None, *, read_only: bool = False) -> None:
        self.keyring = Keyring(encryption_key)
        follow = partial(follow_key, keyring=self.keyring)
        self.db = Database(
            path, read_only=read_only, after_upgrade=partial(self._complete_upgrade, path.parent), before_write=follow
        )
        with self.db.read() as connection:
            self.keyring.use(read_key_fingerprint(connection))
        self._budgets: dict[tuple[str, str, int], RequestBudget] = {}
        self._lock = threading.Lock()
        self._purged_cache = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reseal(self, key: str) -> int:
        """Re-encrypts all sealed values with `key`, one of the setting's; returns the number of changed values."""
        return reseal_store(self.db, self.keyring, key)

    def wipe_deleted(self) -> None:
        """Rewrites the file without deleted or replaced values, such as those under a former key."""
        wipe_deleted(self.db)

    def count_to_reseal(self, key: str) -> int:
        """Counts the values that are not sealed with `key`. Raises ConfigurationError if no key opens one."""
        with self.db.read() as connection:
            return count_to_reseal(connection, self.keyring, key)

    def close(self) -> None:
        """Returns unused permits and closes this process's connections; later use opens new ones."""
        with self._lock:
            budgets = list(self._budgets.values())
        for budget in budgets:
            # If the store cannot be written now, the permits count as used for a window; that is no reason to fail.
            with suppress(PipelineError):
                budget.close()
        self.db.close()

    def _complete_upgrade(self, data_dir: Path, connection: Connection, version: int) -> None:
        """Prepares a store that was just created or upgraded: records its key, then begins the sealed audit log."""
        # A warehouse without a store: the store was lost or moved away, and pages of an earlier version may be shared.
        if version == 0 and not (data_dir / WAREHOUSE_FILE).exists():
            record_contact_on_pages(connection)
        follow_key(connection, self.keyring)
        self.begin_log_of_upgraded_store(connection, version)

    def keep_deliveries(self, new: Sequence[Delivery]) -> list[bool]:
        """As `WebhookInbox.keep_deliveries`, but without the body of a delivery about a purged person."""
        if self.purged_count():
            people = [self.purged_ids_of(clinic) for clinic in self.clinics(with_removed=True)]
            new = [without_body_about(delivery, people) for delivery in new]
        return super().keep_deliveries(new)

    def audit_damage(self, known_heads: Sequence[AuditHead] = ()) -> list[str]:
        """The damages of the audit log; `known_heads`: heads that were stored elsewhere."""
        return audit_damage(self.db, self.keyring, known_heads)

    def request_budget(self, server: str, client_id: str, limit: int) -> RequestBudget:
        """The budget of an app on a server (`limit` per 300 s); sessions of a process share its leases."""
        app = hashlib.sha256(client_id.encode()).hexdigest()[:16]
        with self._lock:
            return self._budgets.setdefault((server, app, limit), RequestBudget(self.db, server, app, limit))
