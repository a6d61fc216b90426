"""Chooses and claims the landing file of a pull where several machines pull: an interrupted one, or a new one.

What does not belong here: how the file is stored (`warehouse.files.shared_landing`), one machine (`landing_lock`).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import LandingClaim, LandingClaims, StateStore
from fullscript_pipeline.warehouse import Request
from fullscript_pipeline.warehouse.files import ABANDONED, FrameFile, LandingDamage, SharedLanding, open_shared_landing

_log = logging.getLogger(__name__)

# Pages that an interrupted pull landed earlier than this are too old to use, on one machine or several.
RESUME_WITHIN = timedelta(hours=6)


@dataclass(frozen=True, kw_only=True)
class SharedPulls:
    """Where the pulls of all machines land, and which of them are being filled."""

    landing: SharedLanding
    claims: LandingClaims


def share_pulls(settings: Settings, store: StateStore) -> SharedPulls | None:
    """Where pulls land by these settings; None: in the folder of this machine."""
    landing = open_shared_landing(settings)
    return SharedPulls(landing=landing, claims=store.landing_claims) if landing else None


def open_shared_file(
    pulls: SharedPulls, place: str, resource: str, *, pull_id: str, encryption_key: str | None
) -> tuple[FrameFile, Callable[[], None]]:
    """Opens the file of a pull that was interrupted on any machine, if all of it can be read, else a new one.

    Returns the file, and a function that releases its claim. What another process fills is left alone. `place`:
    server/owner/day.
    """
    for pull in pulls.landing.unfinished(place, resource):
        claim = pulls.claims.take(pull)
        if claim is None:
            continue
        with _released_on_error(claim):
            # While the claim is held: a key rotation changes the store's key first, and then looks for claims.
            pulls.claims.require_key(encryption_key)
            file = _resumed(pulls, pull, claim, encryption_key=encryption_key)
        if file is not None:
            return file, claim.release
        claim.release()
    pull = f"{place}/{resource}.{clock.real_now():%H%M%S%f}-{pull_id[:8]}"
    new = pulls.claims.take(pull)
    assert new is not None  # noqa: S101 - nobody else knows the name
    with _released_on_error(new):
        pulls.claims.require_key(encryption_key)
        return pulls.landing.open(pull, encryption_key, new.require_held), new.release


@contextmanager
def _released_on_error(claim: LandingClaim) -> Iterator[None]:
    try:
        yield
    except BaseException:
        claim.release()
        raise


def _resumed(pulls: SharedPulls, pull: str, claim: LandingClaim, *, encryption_key: str | None) -> FrameFile | None:
    """The file of this pull; None when it ended meanwhile, is too old, or cannot be read: then it is put aside."""
    file = pulls.landing.open(pull, encryption_key, claim.require_held)
    try:
        requests = file.requests()
    except LandingDamage:
        _log.warning("The landed pages of %s are damaged; they are fetched again.", pull)
        requests = []
    if _is_recent(requests):
        return file
    file.rename(ABANDONED)
    return None


def _is_recent(requests: list[Request]) -> bool:
    """Whether the newest answer is young enough to go on from it."""
    times = [datetime.fromisoformat(request.envelope.fetched_at) for request in requests if request.envelope]
    # A future time means that the clock was set back: the age is unknown, so the file counts as old.
    return bool(times) and abs(clock.now() - max(times)) < RESUME_WITHIN
