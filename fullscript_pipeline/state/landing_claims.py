"""Claims of unfinished pulls, for every machine that shares the store: one process at a time fills a landing file.

A claim ends with its process, so that another one may resume the pull. What does not belong here: the files
(`warehouse.files.shared_landing`), which of them is resumed (`extraction.engine.shared_claim`).
"""

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import ClassVar

from fullscript_pipeline.encryption import fingerprint
from fullscript_pipeline.errors import ConfigurationError, ServiceUnavailable
from fullscript_pipeline.state.database import Database, LockNotFree
from fullscript_pipeline.state.store_key import read_key_fingerprint

# The shortest wait; 0 would be for ever.
_WAIT_SECONDS = 0.05


class LandingClaim:
    """The claim of one pull, which this process holds."""

    def __init__(self, name: str, lock: ExitStack, is_held: Callable[[], bool]) -> None:
        self.name, self._lock, self.is_held = name, lock, is_held

    def require_held(self) -> None:
        """Raises ServiceUnavailable when the store has forgotten the claim: another machine may have taken it."""
        if not self.is_held():
            raise ServiceUnavailable(
                "The state store's server was restarted or cut the connection, so another machine may have resumed "
                "this pull: start the run again; pages that are landed are not fetched again."
            )

    def release(self) -> None:
        """Lets others take it. The server may have released it before."""
        LandingClaims.forget(self)
        self._lock.close()


class LandingClaims:
    """Takes claims. This process takes one of its own again: a step that failed in it is repeated in it."""

    _held: ClassVar[dict[tuple[int, str, str], LandingClaim]] = {}

    def __init__(self, db: Database) -> None:
        self._db = db

    def take(self, name: str) -> LandingClaim | None:
        """Claims a pull by its name (server/owner/day/pull); None while another process holds it."""
        mine = (os.getpid(), self._db.place, name)
        if (held := self._held.get(mine)) and held.is_held():
            return held
        lock = ExitStack()
        try:
            is_held = lock.enter_context(self._db.named_lock(f"landing {name}", _WAIT_SECONDS))
        except LockNotFree:
            return None
        self._held[mine] = LandingClaim(name, lock, is_held)
        return self._held[mine]

    def require_key(self, key: str | None) -> None:
        """Raises ConfigurationError when `key` is not the store's key, which landed pages of all machines are under."""
        with self._db.read() as connection:
            stored = read_key_fingerprint(connection)
        if stored is not None and stored != (fingerprint(key) if key else None):
            raise ConfigurationError(
                "`keys rotate` changed the encryption key, and this process would land pages under another one: set "
                "FULLSCRIPT_ENCRYPTION_KEY to the new key alone on every machine, then start the process again."
            )

    @classmethod
    def forget(cls, claim: LandingClaim) -> None:
        """Removes a claim that is released."""
        for key in [key for key, held in cls._held.items() if held is claim]:
            del cls._held[key]
