"""The operational store as other rooms use it: one object for one database, with a part for each subject.

The state store decides what is fetched; the fetched data is in the warehouse. The store holds no data about patients,
except the sealed bodies of unhandled webhooks and the snoozes of a call list. It may be behind the warehouse, never
ahead. What does not belong here: queries (a module per subject), HTTP, Dagster.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection

from fullscript_pipeline.settings import WAREHOUSE_FILE, Settings
from fullscript_pipeline.state.access_refusals import AccessRefusals
from fullscript_pipeline.state.audit import AuditChains, AuditLog
from fullscript_pipeline.state.change_notices import ChangeNotices
from fullscript_pipeline.state.clinic_choices import ClinicChoiceRecords
from fullscript_pipeline.state.clinics import ClinicRecords
from fullscript_pipeline.state.database import Database, close_unless_opened
from fullscript_pipeline.state.directory_facts import DirectoryFacts, record_contact_on_pages
from fullscript_pipeline.state.event_ledger import EventLedger
from fullscript_pipeline.state.event_tries import EventTries
from fullscript_pipeline.state.feed_positions import FeedPositions
from fullscript_pipeline.state.key_rotation import count_to_reseal, reseal_store
from fullscript_pipeline.state.lab_watch import LabWatch
from fullscript_pipeline.state.landing_claims import LandingClaims
from fullscript_pipeline.state.landing_days import record_landing_retention
from fullscript_pipeline.state.opening import database_exists, open_database
from fullscript_pipeline.state.page_rebuilds import PageRebuildQueue
from fullscript_pipeline.state.purged_people import PurgeMemory, without_body_about
from fullscript_pipeline.state.request_budgets import RequestBudgets
from fullscript_pipeline.state.revocations import RevocationRecords
from fullscript_pipeline.state.secret_cipher import Keyring
from fullscript_pipeline.state.snoozes import Snoozes
from fullscript_pipeline.state.store_key import follow_key, read_key_fingerprint
from fullscript_pipeline.state.store_move import refuse_moved_store
from fullscript_pipeline.state.token_store import GrantRecords
from fullscript_pipeline.state.webhook_inbox import Delivery, WebhookInbox


class StateStore:
    """Opens (creates, migrates) the store at `address`, the path of a SQLite file or an address of PostgreSQL.

    Threads may share it, processes open their own. `encryption_key` is the text of FULLSCRIPT_ENCRYPTION_KEY;
    `read_only` neither creates the store nor changes a row; `data_dir` is the warehouse's folder (left out: the
    file's). `is_moving` opens one that was moved away or is arriving, for `move_store`. Raises ConfigurationError if
    the store cannot be used, ServiceUnavailable if it cannot be reached.
    """

    def __init__(
        self,
        address: Path | str,
        encryption_key: str | None = None,
        *,
        read_only: bool = False,
        data_dir: Path | None = None,
        is_moving: bool = False,
    ) -> None:
        self._is_moving = is_moving
        self.keyring = Keyring(encryption_key)
        self.data_dir = data_dir or Path(address).parent
        self.db = self._open(address, read_only=read_only)
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
        self.change_notices = ChangeNotices(self.db, self.keyring)
        self.purged = PurgeMemory(self.db, self.keyring)
        self.inbox = WebhookInbox(self.db, self.keyring, self._without_purged_people)
        self.facts = DirectoryFacts(self.db, self.keyring)
        self.audit = AuditLog(self.db, self.keyring)
        self.budgets = RequestBudgets(self.db)

    def _open(self, address: Path | str, *, read_only: bool) -> Database:
        database = open_database(
            address, read_only=read_only, after_upgrade=self._complete_upgrade, before_write=self._prepare_write
        )
        with close_unless_opened(database), database.read() as connection:
            self._refuse_moved_store(connection, database.place)
            self.keyring.use(read_key_fingerprint(connection))
        return database

    @cached_property
    def landing_claims(self) -> LandingClaims:
        """Who fills which landing file, where several machines pull."""
        return LandingClaims(self.db)

    @classmethod
    def open(cls, settings: Settings, *, read_only: bool = False, is_moving: bool = False) -> Self:
        """Opens the store that the settings name."""
        key, folder = settings.encryption_key, settings.data_dir
        return cls(settings.state_address, key, read_only=read_only, data_dir=folder, is_moving=is_moving)

    @staticmethod
    def exists(settings: Settings) -> bool:
        """Whether there is a store where the settings say. Raises ServiceUnavailable if it cannot be reached."""
        return database_exists(settings.state_address)

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
        """Rewrites the tables without deleted or replaced values, such as those under a former key."""
        self.db.erase_deleted()

    def count_to_reseal(self, key: str) -> int:
        """Counts the values that are not sealed with `key`. Raises ConfigurationError if no key opens one."""
        with self.db.read() as connection:
            return count_to_reseal(connection, self.keyring, key)

    def close(self) -> None:
        """Returns unused permits and closes this process's connections; later use opens new ones."""
        self.budgets.close()
        self.db.close()

    def _prepare_write(self, connection: Connection) -> None:
        """A process that has had the store open for days follows a change of its key, and ends with a moved store."""
        self._refuse_moved_store(connection, self.db.place)
        follow_key(connection, self.keyring)

    def _refuse_moved_store(self, connection: Connection, place: str) -> None:
        if not self._is_moving:
            refuse_moved_store(connection, place)

    def _complete_upgrade(self, connection: Connection, version: int) -> None:
        """Prepares a store that was just created or upgraded: records its key, then begins the sealed audit log."""
        # A warehouse without a store: the store was lost or moved away, and pages of an earlier version may be shared.
        if version == 0 and not (self.data_dir / WAREHOUSE_FILE).exists():
            record_contact_on_pages(connection)
            record_landing_retention(connection)
        follow_key(connection, self.keyring)
        AuditChains(self.keyring).begin_log_of_upgraded_store(connection, version)

    def _without_purged_people(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """The deliveries, without the body of one about a purged person."""
        if not self.purged.count():
            return deliveries
        people = [self.purged.ids_of(clinic) for clinic in self.clinics.all(with_removed=True)]
        return [without_body_about(delivery, people) for delivery in deliveries]
