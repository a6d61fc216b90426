"""The clinic of a session and its grant: the types that `api` and `state` share.

What does not belong here: how they are stored (`state`), how a grant is renewed (`tokens`).
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class ClinicRef:
    """A connected clinic. `clinic_key` is our slug for partition keys and logs; `clinic_id` is the vendor's id."""

    server: str
    clinic_id: str
    clinic_key: str
    region: str
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What one user of a clinic granted us. Times are UTC, by this machine's clock; tokens stay out of the repr.

    `previous_refresh_token` is kept until the new access token has been accepted once. The vendor keeps the old refresh
    token valid until then, so it can replace a saved pair that is not accepted. `generation` grows by one with every
    saved pair; a writer states the one that it read.
    """

    user_id: str
    user_type: str
    scopes: tuple[str, ...]
    obtained_at: datetime
    expires_at: datetime
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    previous_refresh_token: str | None = field(default=None, repr=False)
    generation: int = 0
    patients_visible: int | None = None
