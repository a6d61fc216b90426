"""Stand-ins for what a session is made of, and a session over a server of the test's own."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from fullscript_pipeline.api import ClinicRef, ClinicSession, Priority, PurgedIds
from fullscript_pipeline.api.http import HttpClient
from fullscript_pipeline.api.retry import TOKEN_POLICY, RetryPolicy

CLINIC = ClinicRef(server="us-snd", clinic_id="c-1", clinic_key="maple", region="us", name="Maple")


@dataclass
class FreeBudget:
    """Lets everybody through, and counts."""

    acquired: list[Priority] = field(default_factory=list)
    held: list[float] = field(default_factory=list)

    def acquire(self, priority: Priority) -> None:
        self.acquired.append(priority)

    def pause_requests(self, seconds: float) -> None:
        self.held.append(seconds)


@dataclass
class SomeTokens:
    """Gives token-1, then token-2, ... after each renewal."""

    number: int = 1
    confirmed: list[str] = field(default_factory=list)

    def access_token(self) -> str:
        return f"token-{self.number}"

    def renew(self, rejected: str) -> str:
        if rejected == self.access_token():
            self.number += 1
        return self.access_token()

    def confirm_used(self, token: str) -> None:
        self.confirmed.append(token)


@dataclass
class Sleeps:
    """Takes the waits of a retry policy instead of waiting."""

    waits: list[float] = field(default_factory=list)

    def policy(self) -> RetryPolicy:
        return RetryPolicy(sleep=self.waits.append, jitter=lambda: 0.0)

    def token_policy(self) -> RetryPolicy:
        return replace(TOKEN_POLICY, sleep=self.waits.append)


@contextmanager
def session_at(
    url: str,
    *,
    tokens: SomeTokens | None = None,
    budget: FreeBudget | None = None,
    sleeps: Sleeps | None = None,
    client: HttpClient | None = None,
    scopes: Collection[str] = (),
    purged_ids: PurgedIds | None = None,
) -> Iterator[ClinicSession]:
    """A session of CLINIC against `url`, which does not really sleep."""
    session = ClinicSession(
        CLINIC,
        url,
        client=client or HttpClient(),
        tokens=tokens or SomeTokens(),
        budget=budget or FreeBudget(),
        retry=(sleeps or Sleeps()).policy(),
        scopes=scopes,
        purged_ids=lambda: purged_ids,
    )
    with session:
        yield session
