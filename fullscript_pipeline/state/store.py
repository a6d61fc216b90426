"""The operational store as other rooms use it: one object for one SQLite file, with a part for each subject.

State decides what to fetch, and DuckDB holds what is true. The store holds no data about patients, except the sealed
bodies of unhandled webhooks and the snoozes of a call list. It may be behind the warehouse, never ahead. What does not
belong here: queries (a module per subject), HTTP, Dagster.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection

from fullscript_pipeline.settings import WAREHOUSE_FILE
from fullscript_pipeline.state.access_refusals import AccessRefusals
from fullscript_pipeline.state.audit import AuditChains, AuditLog
from fullscript_pipeline.state.clinic_choices import ClinicChoiceRecords
from fullscript_pipeline.state.clinics import ClinicRecords
from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.directory_facts import DirectoryFacts, record_contact_on_pages
from fullscript_pipeline.state.event_ledger import EventLedger
from fullscript_pipeline.state.event_tries import EventTries
from fullscript_pipeline.state.feed_positions import FeedPositions
from fullscript_pipeline.state.key_rotation import count_to_reseal, reseal_store
from fullscript_pipeline.state.lab_watch import LabWatch
from fullscript_pipeline.state.page_rebuilds import PageRebuildQueue
from fullscript_pipeline.state.purge import wipe_deleted
from fullscript_pipeline.state.purged_people import PurgeMemory, without_body_about
from fullscript_pipeline.state.request_budgets import RequestBudgets
from fullscript_pipeline.state.revocations import RevocationRecords
from fullscript_pipeline.state.secret_cipher import Keyring
from fullscript_pipeline.state.snoozes import Snoozes
from fullscript_pipeline.state.store_key import follow_key, read_key_fingerprint
from fullscript_pipeline.state.token_store import GrantRecords
from fullscript_pipeline.state.webhook_inbox import Delivery, WebhookInbox


class StateStore:
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
        self.clinics = ClinicRecords(self.db, self.keyring)
        self.tokens = GrantRecords(self.db, self.keyring)
        self.revocations = RevocationRecords(self.clinics, self.tokens)
        self.choices = ClinicChoiceRecords(self.db, self.keyring)
        self.events = EventLedger(self.db, self.keyring)
        self.tries = EventTries(self.db, self.keyring)
        self.feeds = FeedPositions(self.db, self.keyring)
        self.refusals = AccessRefusals(self.db, self.keyring)
        self.page_rebuilds = PageRebuildQueue(self.db, self.keyring)
        self.labs = LabWatch(self.db, self.keyring)
        self.snoozes = Snoozes(self.db, self.keyring)
        self.purged = PurgeMemory(self.db, self.keyring)
        self.inbox = WebhookInbox(self.db, self.keyring, self._without_purged_people)
        self.facts = DirectoryFacts(self.db, self.keyring)
        self.audit = AuditLog(self.db, self.keyring)
        self.budgets = RequestBudgets(self.db)

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
        self.budgets.close()
        self.db.close()

    def _complete_upgrade(self, data_dir: Path, connection: Connection, version: int) -> None:
        """Prepares a store that was just created or upgraded: records its key, then begins the sealed audit log."""
        # A warehouse without a store: the store was lost or moved away, and pages of an earlier version may be shared.
        if version == 0 and not (data_dir / WAREHOUSE_FILE).exists():
            record_contact_on_pages(connection)
        follow_key(connection, self.keyring)
        AuditChains(self.keyring).begin_log_of_upgraded_store(connection, version)

    def _without_purged_people(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """The deliveries, without the body of one about a purged person."""
        if not self.purged.count():
            return deliveries
        people = [self.purged.ids_of(clinic) for clinic in self.clinics.all(with_removed=True)]
        return [without_body_about(delivery, people) for delivery in deliveries]
