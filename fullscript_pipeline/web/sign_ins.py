"""Sign-ins that were begun here: each is good for one browser, once, for ten minutes.

What does not belong here: the sessions that follow (`sessions`), HTTP.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import delete, insert

from fullscript_pipeline.portal_store import PortalDatabase, hash_of
from fullscript_pipeline.web.schema import sign_ins

SIGN_IN_SECONDS = 600
# What a sign-in is for: opening a session, or connecting the clinic of the session to the pipeline.
SESSION, CONNECTION = "session", "connection"


@dataclass(frozen=True, kw_only=True)
class BegunSignIn:
    """`state` travels through Fullscript, `browser` is the cookie of the browser that began."""

    state: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class UsedSignIn:
    """A sign-in whose callback arrived, which can be used only once."""

    server: str
    purpose: str
    invitation_id: str | None


class SignInRecords:
    """Those that are not used and not too old."""

    def __init__(self, database: PortalDatabase, now: Callable[[], float]) -> None:
        self._database, self._now = database, now

    def begin(self, server: str, purpose: str = SESSION, *, invitation_id: str | None = None) -> BegunSignIn:
        begun = BegunSignIn(state=secrets.token_urlsafe(32), browser=secrets.token_urlsafe(32))
        row = {
            "state_hash": hash_of(begun.state),
            "browser_hash": hash_of(begun.browser),
            "server": server,
            "purpose": purpose,
            "invitation_id": invitation_id,
            "begun_s": self._now(),
        }
        with self._database.write() as connection:
            connection.execute(delete(sign_ins).where(sign_ins.c.begun_s < self._now() - SIGN_IN_SECONDS))
            connection.execute(insert(sign_ins).values(row))
        return begun

    def use(self, state: str, browser: str) -> UsedSignIn | None:
        """This sign-in, which is over with that; None: not begun in this browser, used, or too old."""
        this = (
            (sign_ins.c.state_hash == hash_of(state))
            & (sign_ins.c.browser_hash == hash_of(browser))
            & (sign_ins.c.begun_s >= self._now() - SIGN_IN_SECONDS)
        )
        with self._database.write() as connection:
            row = connection.execute(delete(sign_ins).where(this).returning(sign_ins)).first()
        return UsedSignIn(server=row.server, purpose=row.purpose, invitation_id=row.invitation_id) if row else None
